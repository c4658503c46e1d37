-- What somebody should know, for as long as it lasts.
create table activity_alerts (
    key text primary key,
    rule text not null,
    severity text not null check (severity in ('info', 'warning', 'critical')),
    title text not null,
    body text not null,
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    resolved_at timestamptz,
    deliveries integer not null default 0 check (deliveries >= 0),
    failures integer not null default 0 check (failures >= 0)
);
comment on table activity_alerts is 'What somebody should know: each once, for as long as it lasts';
comment on column activity_alerts.key is 'What it is about; the same again is no news';
comment on column activity_alerts.rule is 'The rule in alerts/rules.py';
comment on column activity_alerts.severity is 'info, warning or critical';
comment on column activity_alerts.title is 'One line';
comment on column activity_alerts.body is 'What happened and what to do, as it was when somebody looked last';
comment on column activity_alerts.first_at is 'Since when';
comment on column activity_alerts.last_at is 'When it was last seen';
comment on column activity_alerts.sent_at is 'When a channel last took it';
comment on column activity_alerts.resolved_at is 'When it was over; null while it lasts';
comment on column activity_alerts.deliveries is 'How often a channel took it';
comment on column activity_alerts.failures is 'How often none did';
