-- Metrics by hour and by user beside those by day, and what each row was computed from.
alter table activity_metrics_daily
    add column generation integer not null default 0 check (generation >= 0),
    add column revision bigint not null default 0 check (revision >= 0);
comment on column activity_metrics_daily.generation is 'The day''s generation in the archive when it was counted; 0 before the first';
comment on column activity_metrics_daily.revision is 'The revision of activity_days that was counted';

create table activity_metrics_hourly (
    hour timestamptz not null check (extract(minute from hour) = 0 and extract(second from hour) = 0),
    source text not null,
    action text not null,
    status text not null,
    count bigint not null check (count > 0),
    generation integer not null check (generation >= 0),
    revision bigint not null check (revision >= 0),
    primary key (hour, source, action, status)
);
comment on table activity_metrics_hourly is 'Events counted by hour, source, action and status';
comment on column activity_metrics_hourly.hour is 'The first instant of the hour, UTC';
comment on column activity_metrics_hourly.source is 'As in activity_logs_current';
comment on column activity_metrics_hourly.action is 'As in activity_logs_current';
comment on column activity_metrics_hourly.status is 'As in activity_logs_current';
comment on column activity_metrics_hourly.count is 'Events';
comment on column activity_metrics_hourly.generation is 'As in activity_metrics_daily';
comment on column activity_metrics_hourly.revision is 'As in activity_metrics_daily';

create table activity_users_daily (
    date date not null,
    user_id uuid not null,
    events bigint not null check (events > 0),
    failures bigint not null check (failures between 0 and events),
    actions bigint not null check (actions between 1 and events),
    first_hour smallint not null check (first_hour between 0 and 23),
    last_hour smallint not null check (last_hour between first_hour and 23),
    generation integer not null check (generation >= 0),
    revision bigint not null check (revision >= 0),
    primary key (date, user_id)
);
create index activity_users_daily_user on activity_users_daily (user_id, date);
comment on table activity_users_daily is 'What each user did on a day; events without a user are not in it';
comment on column activity_users_daily.date is 'The UTC day';
comment on column activity_users_daily.user_id is 'As in activity_logs_current';
comment on column activity_users_daily.events is 'Events of the user';
comment on column activity_users_daily.failures is 'Those of them with a status that means failure';
comment on column activity_users_daily.actions is 'Distinct actions among them, told apart by source';
comment on column activity_users_daily.first_hour is 'Hour of the first event, UTC, 0 to 23';
comment on column activity_users_daily.last_hour is 'Hour of the last event, UTC, 0 to 23';
comment on column activity_users_daily.generation is 'As in activity_metrics_daily';
comment on column activity_users_daily.revision is 'As in activity_metrics_daily';

-- What was counted before has no hours and users: all days are counted again.
update activity_computed_days set metrics_revision = null;
