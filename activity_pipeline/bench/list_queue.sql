-- name: create_table
-- Events in one table by day with every index from the first row on.
create table activity_logs_listed (
    id uuid not null,
    timestamp timestamptz not null,
    source varchar(64) not null,
    action varchar(128) not null,
    entity_type varchar(64),
    entity_id varchar(512),
    user_id uuid,
    status varchar(32) default 'success',
    metadata jsonb,
    primary key (timestamp, id)
) partition by range (timestamp);
create index on activity_logs_listed (timestamp);
create index on activity_logs_listed (source, action);
create index on activity_logs_listed (entity_type, entity_id);
create index on activity_logs_listed (user_id);
create index on activity_logs_listed (status);
create index on activity_logs_listed (source, status, timestamp);
create index on activity_logs_listed using gin (
    to_tsvector('english', action || ' ' || coalesce(metadata ->> 'description', ''))
);
create index on activity_logs_listed using gin (metadata)

-- name: create_partitions
-- A partition for each of some days.
do $$
declare
    a_day date;
begin
    for a_day in select day from activity_days loop
        execute format(
            'create table %I partition of activity_logs_listed for values from (%L) to (%L)',
            'listed_' || to_char(a_day, 'YYYYMMDD'), a_day, a_day + 1
        );
    end loop;
end
$$
