-- How long the pipeline's operations take, and which channel took which alert.
create table activity_operations (
    hour timestamptz not null,
    operation text not null check (operation <> ''),
    count bigint not null check (count > 0),
    failures bigint not null check (failures between 0 and count),
    items bigint not null check (items >= 0),
    refused bigint not null check (refused >= 0),
    seconds double precision not null check (seconds >= 0),
    p50_s double precision not null default 0,
    p95_s double precision not null default 0,
    p99_s double precision not null default 0,
    longest_s double precision not null check (longest_s >= 0),
    buckets bigint[] not null check (cardinality(buckets) = 241),
    primary key (hour, operation)
);
comment on table activity_operations is 'Durations of operations by hour, of all processes together; kept for 90 days';
comment on column activity_operations.hour is 'Start of the hour';
comment on column activity_operations.operation is 'Which one: drain, export and so on (operations/model.py)';
comment on column activity_operations.count is 'Calls';
comment on column activity_operations.failures is 'Calls that ended in an error';
comment on column activity_operations.items is 'Events that they handled';
comment on column activity_operations.refused is 'Events of those that became dead letters';
comment on column activity_operations.seconds is 'Their durations together';
comment on column activity_operations.p50_s is 'Duration that half of them did not exceed, in seconds, less than 5 % off';
comment on column activity_operations.p95_s is 'The same of 95 in 100';
comment on column activity_operations.p99_s is 'The same of 99 in 100';
comment on column activity_operations.longest_s is 'The longest, in seconds, exact';
comment on column activity_operations.buckets is 'Calls by logarithmic bucket, 24 a decade from 10 us on, from which the quantiles come; they add up';

create table activity_operation_totals (
    operation text primary key check (operation <> ''),
    count bigint not null,
    failures bigint not null,
    items bigint not null,
    refused bigint not null,
    seconds double precision not null,
    longest_s double precision not null,
    buckets bigint[] not null check (cardinality(buckets) = 241)
);
comment on table activity_operation_totals is 'All hours of activity_operations together, also those that are no longer kept: for Prometheus, whose histograms must not shrink';
comment on column activity_operation_totals.operation is 'As in activity_operations';
comment on column activity_operation_totals.count is 'As in activity_operations';
comment on column activity_operation_totals.failures is 'As in activity_operations';
comment on column activity_operation_totals.items is 'As in activity_operations';
comment on column activity_operation_totals.refused is 'As in activity_operations';
comment on column activity_operation_totals.seconds is 'As in activity_operations';
comment on column activity_operation_totals.longest_s is 'As in activity_operations';
comment on column activity_operation_totals.buckets is 'As in activity_operations';

alter table activity_alerts add column told_at timestamptz;
update activity_alerts set told_at = sent_at;
comment on column activity_alerts.told_at is 'When a message of it last set out to the channels';

create table activity_alert_deliveries (
    id bigint generated always as identity primary key,
    key text not null check (key <> ''),
    channel text not null check (channel <> ''),
    severity text not null check (severity in ('info', 'warning', 'critical')),
    title text not null,
    body text not null,
    at timestamptz not null default clock_timestamp(),
    tries integer not null default 0 check (tries >= 0),
    due_at timestamptz default clock_timestamp(),
    taken_at timestamptz,
    said text not null default '',
    check (taken_at is null or due_at is null)
);
create index activity_alert_deliveries_due on activity_alert_deliveries (due_at) where due_at is not null;
create index activity_alert_deliveries_key on activity_alert_deliveries (key, at);
comment on table activity_alert_deliveries is 'Messages to channels, one by one, and what became of them; kept for 90 days';
comment on column activity_alert_deliveries.id is 'Order of setting out';
comment on column activity_alert_deliveries.key is 'As in activity_alerts';
comment on column activity_alert_deliveries.channel is 'Its place in ACTIVITY_ALERT_URLS and its kind; never its address, which may hold secrets';
comment on column activity_alert_deliveries.severity is 'info, warning or critical';
comment on column activity_alert_deliveries.title is 'One line';
comment on column activity_alert_deliveries.body is 'What is said';
comment on column activity_alert_deliveries.at is 'When it set out';
comment on column activity_alert_deliveries.tries is 'Attempts so far';
comment on column activity_alert_deliveries.due_at is 'When it is tried next; null where it has arrived or was given up';
comment on column activity_alert_deliveries.taken_at is 'When the channel took it';
comment on column activity_alert_deliveries.said is 'Why the channel did not take it, without its secrets';
