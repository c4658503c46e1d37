-- name: ensure_shard
-- The row that the shard's lock and offset live in.
insert into queue_offsets (shard, last_entry_id) values ($1::int, '0-0') on conflict do nothing

-- name: lock_shard
-- Where to go on reading; no row while another drain has the shard.
select last_entry_id from queue_offsets where shard = $1::int for update skip locked

-- name: lock_routes
-- Days keep their states while this batch is stored; freezing a day waits for it.
select pg_advisory_xact_lock_shared(hashtextextended('activity_routes', 0))

-- name: routes
-- State of the batch's days, and the manifest of those that are archived.
select day::text, state, manifest from activity_days where day = any (string_to_array($1::text, ',')::date[])

-- name: create_keys
-- What tells events apart, and where each belongs.
create temporary table staged_keys (ordinal integer, late boolean, timestamp timestamptz, id uuid) on commit drop

-- name: stored_before
-- Which of them are stored already. Scalar subqueries look each one up; "exists" would hash all that is hot.
select ordinal from staged_keys s
where case when s.late
    then (select true from activity_logs_late l where l.timestamp = s.timestamp and l.id = s.id)
    else (select true from activity_logs_current c where c.timestamp = s.timestamp and c.id = s.id)
end

-- name: create_staging
-- Rows as they came, before anything is known of their neighbours; metadata is text here.
create temporary table staged (
    ordinal integer, producer integer, late boolean,
    id uuid, timestamp timestamptz, source text, action text, entity_type text, entity_id text,
    user_id uuid, status text, metadata text
) on commit drop

-- name: refused
-- Rows whose metadata Postgres cannot keep, taken out.
delete from staged where not activity_is_jsonb(metadata) returning ordinal

-- name: place_current
-- New rows into their day partitions; says which.
with fresh as (
    insert into activity_logs_current
        (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
    select distinct on (timestamp, id)
        id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::jsonb
    from staged
    where not late
    order by timestamp, id, ordinal
    on conflict do nothing
    returning timestamp, id
)
select min(s.ordinal)
from fresh
join staged s on s.timestamp = fresh.timestamp and s.id = fresh.id and not s.late
group by fresh.timestamp, fresh.id

-- name: place_late
-- New late rows, unless a frozen partition or a restored day holds them; says which.
with fresh as (
    insert into activity_logs_late
        (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
    select distinct on (s.timestamp, s.id)
        s.id, s.timestamp, s.source, s.action, s.entity_type, s.entity_id, s.user_id, s.status, s.metadata::jsonb
    from staged s
    where s.late
        -- A scalar subquery looks each row up; "not exists" would hash all that is hot.
        and (select true from activity_logs_current c where c.timestamp = s.timestamp and c.id = s.id) is null
        and (select true from activity_logs_archive a where a.timestamp = s.timestamp and a.id = s.id) is null
    order by s.timestamp, s.id, s.ordinal
    on conflict do nothing
    returning timestamp, id
)
select min(s.ordinal)
from fresh
join staged s on s.timestamp = fresh.timestamp and s.id = fresh.id and s.late
group by fresh.timestamp, fresh.id

-- name: touch_days
-- Days that got new events have changed; an archived one is open again for its next generation.
update activity_days set
    revision = revision + 1,
    state = case when state = 'archived' then 'reopened' else state end,
    changed_at = clock_timestamp()
from (
    select day from activity_days
    where day = any (string_to_array($1::text, ',')::date[])
    order by day
    for update
) as touched
where activity_days.day = touched.day

-- name: move_offset
-- The batch is stored: read on after it.
update queue_offsets set last_entry_id = $2::text, updated_at = clock_timestamp() where shard = $1::int
