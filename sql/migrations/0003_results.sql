-- Tables computed from events, replaced a day at a time.
create table activity_metrics_daily (
    date date not null,
    source text not null,
    action text not null,
    status text not null,
    count bigint not null check (count > 0),
    users bigint not null check (users >= 0),
    entities bigint not null check (entities >= 0),
    first_at timestamptz not null,
    last_at timestamptz not null check (last_at >= first_at),
    primary key (date, source, action, status)
);
comment on table activity_metrics_daily is 'Events counted by day, source, action and status';
comment on column activity_metrics_daily.date is 'The UTC day';
comment on column activity_metrics_daily.source is 'As in activity_logs_current';
comment on column activity_metrics_daily.action is 'As in activity_logs_current';
comment on column activity_metrics_daily.status is 'As in activity_logs_current';
comment on column activity_metrics_daily.count is 'Events';
comment on column activity_metrics_daily.users is 'Distinct users among them';
comment on column activity_metrics_daily.entities is 'Distinct entities (type and id) among them';
comment on column activity_metrics_daily.first_at is 'The first event';
comment on column activity_metrics_daily.last_at is 'The last event';

create table activity_anomalies_daily (
    date date not null,
    kind text not null check (kind in ('spike', 'drop', 'failure_rate', 'silent_source')),
    source text not null,
    action text not null,
    observed double precision not null,
    expected double precision not null,
    lower double precision not null,
    upper double precision not null,
    p_value double precision not null check (p_value between 0 and 1),
    severity text not null check (severity in ('info', 'warning', 'critical')),
    sentence text not null,
    primary key (date, kind, source, action)
);
comment on table activity_anomalies_daily is 'Days on which a series was far from its own history';
comment on column activity_anomalies_daily.date is 'The UTC day';
comment on column activity_anomalies_daily.kind is 'What is unusual: spike, drop, failure_rate, silent_source';
comment on column activity_anomalies_daily.source is 'The source of the series';
comment on column activity_anomalies_daily.action is 'The action of the series; empty for a whole source';
comment on column activity_anomalies_daily.observed is 'What was seen: events, or a share for failure_rate';
comment on column activity_anomalies_daily.expected is 'The baseline, in the same unit';
comment on column activity_anomalies_daily.lower is 'Lower end of the expected range';
comment on column activity_anomalies_daily.upper is 'Upper end of the expected range';
comment on column activity_anomalies_daily.p_value is 'How likely a value as far out is under the baseline';
comment on column activity_anomalies_daily.severity is 'info, warning or critical';
comment on column activity_anomalies_daily.sentence is 'The same for a person to read';

create table activity_computed_days (
    day date primary key,
    metrics_revision bigint,
    anomalies_revision bigint
);
comment on table activity_computed_days is 'The revision of activity_days that each day''s results were computed from; behind it they are stale';
comment on column activity_computed_days.day is 'The UTC day';
comment on column activity_computed_days.metrics_revision is 'For activity_metrics_daily';
comment on column activity_computed_days.anomalies_revision is 'For activity_anomalies_daily';
