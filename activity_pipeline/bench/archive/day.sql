-- name: copy_out
-- A day as Postgres sends it at its quickest.
copy (
    select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
    from activity_logs_current
    where timestamp >= %(day)s::date::timestamp at time zone 'UTC'
        and timestamp < (%(day)s::date + 1)::timestamp at time zone 'UTC'
) to stdout (format binary)

-- name: multiply
-- A day's events again, at other times of the day, with ids and request ids of their own.
insert into activity_logs_current
    (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
select
    uuidv7(moved.timestamp - clock_timestamp()), moved.timestamp,
    source, action, entity_type, entity_id, user_id, status,
    jsonb_set(
        metadata, '{request_id}', to_jsonb(lpad(to_hex((random() * 4294967295)::bigint), 8, '0')), false
    )
from activity_logs_current l
cross join generate_series(1, %(copies)s) as copy (number)
cross join lateral (
    select day_start + make_interval(
        secs => mod(extract(epoch from l.timestamp - day_start) + number * 137.123457, 86400)::double precision
    ) as timestamp
    from (select %(day)s::date::timestamp at time zone 'UTC' as day_start) as days
) as moved

-- name: vacuum
-- What autovacuum does in the days before a day leaves.
vacuum (analyze) activity_logs_current

-- name: arrived
-- A day's rows as they arrived.
select id, timestamp, source::text, action, entity_type, entity_id, user_id, status::text, metadata
from activity_logs_current
where timestamp >= ($1::text)::date::timestamp at time zone 'UTC'
    and timestamp < (($1::text)::date + 1)::timestamp at time zone 'UTC'
order by ctid

-- name: arrived_late
-- Rows of days that were never hot, as they arrived.
select id, timestamp, source::text, action, entity_type, entity_id, user_id, status::text, metadata
from activity_logs_late
order by arrived
