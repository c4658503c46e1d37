-- Newcomers among the anomalies, what each was judged from, and what people say of them.
alter table activity_anomalies_daily
    drop constraint activity_anomalies_daily_kind_check,
    add constraint activity_anomalies_daily_kind_check
        check (kind in ('spike', 'drop', 'failure_rate', 'silent_source', 'new_source', 'new_action')),
    add column revision bigint not null default 0 check (revision >= 0);
comment on column activity_anomalies_daily.kind is 'What is unusual: spike, drop, failure_rate, silent_source, new_source, new_action';
comment on column activity_anomalies_daily.revision is 'The revision of activity_days that was judged; 0 where the day has no events';

create table activity_anomaly_acknowledgements (
    date date not null,
    kind text not null,
    source text not null,
    action text not null,
    by text not null check (by <> ''),
    note text not null,
    at timestamptz not null default clock_timestamp(),
    primary key (date, kind, source, action)
);
comment on table activity_anomaly_acknowledgements is 'Anomalies that somebody has looked at; they stay so when the day is judged anew';
comment on column activity_anomaly_acknowledgements.date is 'As in activity_anomalies_daily';
comment on column activity_anomaly_acknowledgements.kind is 'As in activity_anomalies_daily';
comment on column activity_anomaly_acknowledgements.source is 'As in activity_anomalies_daily';
comment on column activity_anomaly_acknowledgements.action is 'As in activity_anomalies_daily';
comment on column activity_anomaly_acknowledgements.by is 'Who';
comment on column activity_anomaly_acknowledgements.note is 'What they found';
comment on column activity_anomaly_acknowledgements.at is 'When';

create table activity_anomaly_mutes (
    id bigint generated always as identity primary key,
    source text not null check (source <> ''),
    action text,
    kind text,
    until timestamptz not null,
    by text not null check (by <> ''),
    reason text not null check (reason <> ''),
    since timestamptz not null default clock_timestamp(),
    removed_at timestamptz,
    removed_by text,
    check ((removed_at is null) = (removed_by is null))
);
comment on table activity_anomaly_mutes is 'Anomalies that nobody wants to be told of for a while; they are stored all the same';
comment on column activity_anomaly_mutes.id is 'Number of the mute';
comment on column activity_anomaly_mutes.source is 'Those of this source';
comment on column activity_anomaly_mutes.action is 'Those of this action alone; null for all, and for the source as a whole';
comment on column activity_anomaly_mutes.kind is 'Those of this kind alone; null for all';
comment on column activity_anomaly_mutes.until is 'When it ends';
comment on column activity_anomaly_mutes.by is 'Who';
comment on column activity_anomaly_mutes.reason is 'Why';
comment on column activity_anomaly_mutes.since is 'When it began';
comment on column activity_anomaly_mutes.removed_at is 'When it was ended early';
comment on column activity_anomaly_mutes.removed_by is 'By whom';
