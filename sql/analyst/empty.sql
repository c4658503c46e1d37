-- The analyst's views before there is anything to see: the columns, no rows.
create or replace view activity_logs as
select
    null::uuid as id,
    null::timestamptz as timestamp,
    null::varchar as source,
    null::varchar as action,
    null::varchar as entity_type,
    null::varchar as entity_id,
    null::uuid as user_id,
    null::varchar as status,
    null::json as metadata,
    null::date as date
where false;

create or replace view activity_metrics_daily as
select
    null::date as date,
    null::varchar as source,
    null::varchar as action,
    null::varchar as status,
    null::bigint as count,
    null::bigint as users,
    null::bigint as entities,
    null::timestamptz as first_at,
    null::timestamptz as last_at,
    null::integer as generation,
    null::bigint as revision
where false;

create or replace view activity_metrics_hourly as
select
    null::timestamptz as hour,
    null::varchar as source,
    null::varchar as action,
    null::varchar as status,
    null::bigint as count,
    null::integer as generation,
    null::bigint as revision
where false;

create or replace view activity_users_daily as
select
    null::date as date,
    null::uuid as user_id,
    null::bigint as events,
    null::bigint as failures,
    null::bigint as actions,
    null::smallint as first_hour,
    null::smallint as last_hour,
    null::integer as generation,
    null::bigint as revision
where false;

create or replace view activity_anomalies_daily as
select
    null::date as date,
    null::smallint as hour,
    null::varchar as kind,
    null::varchar as source,
    null::varchar as action,
    null::varchar as user_id,
    null::double as observed,
    null::double as expected,
    null::double as lower,
    null::double as upper,
    null::double as p_value,
    null::varchar as severity,
    null::varchar as sentence,
    null::integer as generation,
    null::bigint as revision
where false;
