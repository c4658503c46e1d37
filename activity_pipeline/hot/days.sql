-- name: known
-- Which of the days have a row.
select day from activity_days where day = any (%(days)s::date[])

-- name: create_day
-- A day with a partition.
select activity_create_day(%(day)s)

-- name: create_late_day
-- A day that was never hot here: its events are late from the first one on.
insert into activity_days (day, state) values (%(day)s, 'reopened') on conflict do nothing

-- name: list
-- Days with all that is known of them.
select day, state, revision, generation, late_cut, archived_rows, archived_bytes, manifest, restored_until
from activity_days
where %(days)s::date[] is null or day = any (%(days)s::date[])
order by day

-- name: due
-- Days for the archive, those with a job half done included. A reopened day without late rows is not.
select day from activity_days
where (state in ('open', 'sealed') and day < %(hot_since)s)
    or state in ('frozen', 'exported')
    or (state = 'reopened' and exists (
        select from activity_logs_late
        where timestamp >= day::timestamp at time zone 'UTC'
            and timestamp < (day + 1)::timestamp at time zone 'UTC'
    ))
order by day

-- name: seal
-- All the indexes, and the state.
select activity_seal_day(%(day)s)

-- name: lock_routes
-- Wait for batches under way; new ones wait for this.
select pg_advisory_xact_lock(hashtextextended('activity_routes', 0))

-- name: freeze
-- From here on new rows of these days are late, and belong to the next generation.
update activity_days as d set
    late_cut = case when d.state = 'reopened' then coalesce((select max(arrived) from activity_logs_late), 0) end,
    state = 'frozen',
    changed_at = clock_timestamp()
where d.day = any (%(days)s::date[]) and d.state in ('open', 'sealed', 'reopened')

-- name: content
-- Rows of each day's frozen generation and the two sums of its content hash (events/content.py).
with generation as (
    select d.day, l.id, l.timestamp, l.source, l.action, l.entity_type, l.entity_id, l.user_id, l.status, l.metadata
    from activity_days d
    join activity_logs_current l
        on l.timestamp >= d.day::timestamp at time zone 'UTC'
        and l.timestamp < (d.day + 1)::timestamp at time zone 'UTC'
    where d.day = any (%(days)s::date[]) and d.state in ('frozen', 'exported') and d.late_cut is null
    union all
    select d.day, l.id, l.timestamp, l.source, l.action, l.entity_type, l.entity_id, l.user_id, l.status, l.metadata
    from activity_logs_late l
    join activity_days d on d.day = (l.timestamp at time zone 'UTC')::date
    where d.day = any (%(days)s::date[]) and d.state in ('frozen', 'exported') and l.arrived <= d.late_cut
        and l.timestamp >= (select min(x) from unnest(%(days)s::date[]) x)::timestamp at time zone 'UTC'
        and l.timestamp < (select max(x) + 1 from unnest(%(days)s::date[]) x)::timestamp at time zone 'UTC'
),
hashed as (
    select day, encode(sha256(convert_to(
        activity_field(id::text)
        || activity_field((extract(epoch from timestamp) * 1000000)::bigint::text)
        || activity_field(source) || activity_field(action)
        || activity_field(entity_type) || activity_field(entity_id)
        || activity_field(user_id::text) || activity_field(status) || activity_field(metadata::text),
        'UTF8'
    )), 'hex') as hash
    from generation
    offset 0  -- the hash is used twice and must not be computed twice
)
select
    day,
    count(*),
    sum(('x' || substr(hash, 1, 15))::bit(60)::bigint),
    sum(('x' || substr(hash, 16, 15))::bit(60)::bigint)
from hashed
group by day

-- name: drop_known
-- Late rows that the archive has already.
with dropped as (
    delete from activity_logs_late
    using unnest(%(timestamps)s::timestamptz[], %(ids)s::uuid[]) as known (timestamp, id)
    where activity_logs_late.timestamp = known.timestamp and activity_logs_late.id = known.id
    returning 1
)
select count(*) from dropped

-- name: recount
-- They were not new after all.
update activity_ledger set inserted = inserted - %(count)s, duplicate = duplicate + %(count)s
where day = %(day)s

-- name: revise
-- The day's events are not those that its results were computed from.
update activity_days set revision = revision + 1, changed_at = clock_timestamp() where day = %(day)s

-- name: set_lock_timeout
-- A user's query must not make everything behind us wait for long.
select set_config('lock_timeout', %(timeout)s, true)

-- name: lock_exported
-- Exported days, held until they are archived.
select day, generation from activity_days
where day = any (%(days)s::date[]) and state = 'exported'
order by day
for update

-- name: keep_restored
-- A restored day holds what its archive does: late rows that are about to go to the archive alone go there too.
insert into activity_logs_archive (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
select l.id, l.timestamp, l.source, l.action, l.entity_type, l.entity_id, l.user_id, l.status, l.metadata
from activity_days d
join activity_logs_late l
    on l.timestamp >= d.day::timestamp at time zone 'UTC'
    and l.timestamp < (d.day + 1)::timestamp at time zone 'UTC'
where d.day = any (%(days)s::date[]) and d.restored_until is not null and l.arrived <= d.late_cut

-- name: retire_late
-- Late rows that are in Parquet now.
delete from activity_logs_late l
using activity_days d
where d.day = any (%(days)s::date[])
    and d.day = (l.timestamp at time zone 'UTC')::date
    and l.arrived <= d.late_cut
    and l.timestamp >= (select min(x) from unnest(%(days)s::date[]) x)::timestamp at time zone 'UTC'
    and l.timestamp < (select max(x) + 1 from unnest(%(days)s::date[]) x)::timestamp at time zone 'UTC'

-- name: partitions
-- Partitions of exported days.
select c.relname
from activity_days d
join pg_class c on c.relname = 'activity_logs_current_' || to_char(d.day, 'YYYYMMDD')
join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'activity_logs_current'::regclass
where d.day = any (%(days)s::date[]) and d.late_cut is null
order by d.day

-- name: mark_archived
-- The day lives in Parquet; where late rows came meanwhile it is open for its next generation.
update activity_days as d set
    state = case
        when exists (
            select from activity_logs_late
            where timestamp >= d.day::timestamp at time zone 'UTC'
                and timestamp < (d.day + 1)::timestamp at time zone 'UTC'
        ) then 'reopened'
        else 'archived'
    end,
    late_cut = null,
    archived_rows = %(rows)s,
    archived_bytes = %(bytes)s,
    changed_at = clock_timestamp()
where day = %(day)s
