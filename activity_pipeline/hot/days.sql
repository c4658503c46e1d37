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
select
    day, state, revision, generation, late_cut, exported_rows, exported_hash, exported_versions, archived_rows,
    archived_bytes, manifest, restored_until
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

-- name: lock_retirements
-- One at a time: the next one finds no partition that is about to go.
select pg_advisory_xact_lock(hashtextextended('activity_retirements', 0))

-- name: lock_late
-- Late rows do not change any more, and none come.
lock table activity_logs_late in share row exclusive mode

-- name: holders
-- Sessions that have event tables in use, the longest transaction first.
select distinct
    a.pid,
    coalesce(nullif(a.application_name, ''), a.backend_type, 'unnamed') as name,
    coalesce(a.state, 'active') as state,
    coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::int as seconds
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
join pg_class c on c.oid = l.relation
where l.granted and a.pid <> pg_backend_pid() and l.database = (
        select oid from pg_database where datname = current_database()
    )
    and (
        c.relname in ('activity_logs_current', 'activity_logs_late')
        or c.relname in (
            select 'activity_logs_current_' || to_char(x, 'YYYYMMDD') from unnest(%(days)s::date[]) x
        )
    )
order by seconds desc, pid
limit 3

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

-- name: lock_day
-- Its rows do not change any more, and none come.
select activity_lock_day(%(day)s)

-- name: drop_day
-- The rows are in Parquet.
select activity_drop_day(%(day)s)

-- name: partitions
-- Days whose rows are in a partition.
select d.day
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
    exported_rows = null,
    exported_hash = null,
    exported_versions = null,
    archived_rows = %(rows)s,
    archived_bytes = %(bytes)s,
    changed_at = clock_timestamp()
where day = %(day)s
