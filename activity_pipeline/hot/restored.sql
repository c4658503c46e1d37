-- name: begin
-- A table to load the day into; false where the day is restored already.
select activity_begin_restore($1::text::date)

-- name: content
-- Rows of the table and the two sums of their content hash (events/content.py).
select
    count(*),
    coalesce(sum(('x' || substr(hash, 1, 15))::bit(60)::bigint), 0)::text,
    coalesce(sum(('x' || substr(hash, 16, 15))::bit(60)::bigint), 0)::text
from (
    select encode(
        activity_event_hash(id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata),
        'hex'
    ) as hash
    from activity_logs_restoring
) as events

-- name: index
-- All the indexes, and its name as a partition.
select activity_index_restored($1::text::date)

-- name: lock_routes
-- Wait for batches under way, and for whoever retires days; they wait for this.
select pg_advisory_xact_lock(hashtextextended('activity_routes', 0))

-- name: set_bulk_lock_timeout
-- Ingest waits from here on.
select set_config('lock_timeout', $1::text, true)

-- name: attach
-- A day that queries see, once this commits.
select activity_attach_restored($1::text::date)

-- name: drop_known
-- Late rows that the day holds already: they were stored while ingest could not ask the archive.
with known as (
    delete from activity_logs_late l
    using activity_logs_archive a
    where a.timestamp = l.timestamp and a.id = l.id
        and l.timestamp >= $1::text::date::timestamp at time zone 'UTC'
        and l.timestamp < ($1::text::date + 1)::timestamp at time zone 'UTC'
        and a.timestamp >= $1::text::date::timestamp at time zone 'UTC'
        and a.timestamp < ($1::text::date + 1)::timestamp at time zone 'UTC'
    returning 1
),
recounted as (
    update activity_ledger set
        inserted = inserted - (select count(*) from known),
        duplicate = duplicate + (select count(*) from known)
    where day = $1::text::date and exists (select from known)
)
update activity_days set revision = revision + 1
where day = $1::text::date and exists (select from known)

-- name: note
-- The day is restored, unless its archive is another one by now than the rows were taken from.
update activity_days set restored_until = $4::text::timestamptz, changed_at = clock_timestamp()
where day = $1::text::date and manifest = $2::text
    and generation - (state = 'exported')::integer = $3::integer
returning day

-- name: extend
-- A day that is restored already stays for longer.
update activity_days set restored_until = greatest(restored_until, %(until)s), changed_at = clock_timestamp()
where day = %(day)s and restored_until is not null
returning restored_until

-- name: over
-- Restored days whose time is over.
select day from activity_days where restored_until <= %(now)s order by day

-- name: set_lock_timeout
-- A user's query must not make everything behind us wait for long.
select set_config('lock_timeout', %(timeout)s, true)

-- name: lock_restored
-- Restored days, held until they are dropped; with $now those alone whose time is over still.
select day from activity_days
where day = any (%(days)s::date[]) and restored_until is not null
    and (%(now)s::timestamptz is null or restored_until <= %(now)s)
order by day
for update

-- name: drop
-- The rows are copies: the archive has them.
select activity_drop_restored(%(day)s)
