-- name: frozen_rows
-- The generation that is on its way to the archive.
with wanted as (
    select day, state, late_cut from activity_days
    where day = any (string_to_array($1::text, ',')::date[]) and state in ('frozen', 'exported')
)
select l.id, l.timestamp, l.source::text, l.action, l.entity_type, l.entity_id, l.user_id, l.status::text, l.metadata
from wanted
join activity_logs_current l
    on l.timestamp >= day::timestamp at time zone 'UTC' and l.timestamp < (day + 1)::timestamp at time zone 'UTC'
where late_cut is null
union all
select l.id, l.timestamp, l.source::text, l.action, l.entity_type, l.entity_id, l.user_id, l.status::text, l.metadata
from wanted
join activity_logs_late l on day = (l.timestamp at time zone 'UTC')::date
where l.arrived <= late_cut
    and l.timestamp >= (select min(day) from wanted)::timestamp at time zone 'UTC'
    and l.timestamp < (select max(day) + 1 from wanted)::timestamp at time zone 'UTC'
order by timestamp, id

-- name: counted_columns
-- What metrics count, of events that Postgres holds.
with wanted as (
    select day from activity_days where day = any (string_to_array($1::text, ',')::date[])
),
bounds as (
    select
        min(day)::timestamp at time zone 'UTC' as first_at,
        (max(day) + 1)::timestamp at time zone 'UTC' as end_at
    from wanted
)
select timestamp, source::text, action, status::text, user_id, entity_type, entity_id
from activity_logs_current
where timestamp >= (select first_at from bounds) and timestamp < (select end_at from bounds)
    and (timestamp at time zone 'UTC')::date in (select day from wanted)
union all
select timestamp, source::text, action, status::text, user_id, entity_type, entity_id
from activity_logs_late
where timestamp >= (select first_at from bounds) and timestamp < (select end_at from bounds)
    and (timestamp at time zone 'UTC')::date in (select day from wanted)
