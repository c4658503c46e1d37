-- name: set_days
-- What the queries below are about, until the transaction ends. They read it in subqueries: once, not for each row.
select
    set_config('activity.days', $1::text, true),
    set_config('activity.first_at', $2::text, true),
    set_config('activity.end_at', $3::text, true),
    set_config('max_parallel_workers_per_gather', '0', true)

-- name: frozen_current
-- Partitions on their way to the archive, in the order in which their rows lie.
select id, timestamp, source::text, action, entity_type, entity_id, user_id, status::text, metadata
from activity_logs_current
where timestamp >= (select current_setting('activity.first_at')::timestamptz)
    and timestamp < (select current_setting('activity.end_at')::timestamptz)
    and (timestamp at time zone 'UTC')::date
        = any ((select string_to_array(current_setting('activity.days'), ',')::date[])::date[])

-- name: frozen_late
-- Late rows on their way to the archive.
select l.id, l.timestamp, l.source::text, l.action, l.entity_type, l.entity_id, l.user_id, l.status::text, l.metadata
from activity_logs_late l
join activity_days d on d.day = (l.timestamp at time zone 'UTC')::date
where l.timestamp >= (select current_setting('activity.first_at')::timestamptz)
    and l.timestamp < (select current_setting('activity.end_at')::timestamptz)
    and d.day = any ((select string_to_array(current_setting('activity.days'), ',')::date[])::date[])
    and l.arrived <= d.late_cut
order by l.timestamp

-- name: counted_columns
-- What metrics count, of events that Postgres holds.
select timestamp, source::text, action, status::text, user_id, entity_type, entity_id
from activity_logs_current
where timestamp >= (select current_setting('activity.first_at')::timestamptz)
    and timestamp < (select current_setting('activity.end_at')::timestamptz)
    and (timestamp at time zone 'UTC')::date
        = any ((select string_to_array(current_setting('activity.days'), ',')::date[])::date[])
union all
select timestamp, source::text, action, status::text, user_id, entity_type, entity_id
from activity_logs_late
where timestamp >= (select current_setting('activity.first_at')::timestamptz)
    and timestamp < (select current_setting('activity.end_at')::timestamptz)
    and (timestamp at time zone 'UTC')::date
        = any ((select string_to_array(current_setting('activity.days'), ',')::date[])::date[])
