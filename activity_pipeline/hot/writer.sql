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
-- State and newest generation of the batch's days.
select day::text, state, generation from activity_days where day = any (string_to_array($1::text, ',')::date[])

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
-- New late rows, unless a frozen partition still holds them; says which.
with fresh as (
    insert into activity_logs_late
        (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
    select distinct on (s.timestamp, s.id)
        s.id, s.timestamp, s.source, s.action, s.entity_type, s.entity_id, s.user_id, s.status, s.metadata::jsonb
    from staged s
    where s.late
        -- A scalar subquery looks each row up; "not exists" would hash all that is hot.
        and (select true from activity_logs_current c where c.timestamp = s.timestamp and c.id = s.id) is null
    order by s.timestamp, s.id, s.ordinal
    on conflict do nothing
    returning timestamp, id
)
select min(s.ordinal)
from fresh
join staged s on s.timestamp = fresh.timestamp and s.id = fresh.id and s.late
group by fresh.timestamp, fresh.id

-- name: note_days
-- The ledger by day.
insert into activity_ledger as ledger (day, received, inserted, duplicate, dead_lettered, arrived)
select day, received, inserted, duplicate, dead_lettered, arrived
from jsonb_to_recordset($1::text::jsonb) as batch (
    day date, received bigint, inserted bigint, duplicate bigint, dead_lettered bigint, arrived bigint
)
order by day
on conflict (day) do update set
    received = ledger.received + excluded.received,
    inserted = ledger.inserted + excluded.inserted,
    duplicate = ledger.duplicate + excluded.duplicate,
    dead_lettered = ledger.dead_lettered + excluded.dead_lettered,
    arrived = ledger.arrived + excluded.arrived

-- name: declared_before
-- Declarations of drops that came with a frame which is delivered again.
select number
from jsonb_to_recordset($1::text::jsonb) as declared (number integer, producer_id text, sequences int8multirange)
join activity_producers p using (producer_id)
where p.dropped_sequences @> declared.sequences

-- name: note_producers
-- The ledger by producer; what a sequence number had been seen for before is a redelivery.
insert into activity_producers as producer (
    producer_id, issued, sequences, received, redelivered, inserted, duplicate, dead_lettered, dropped_sequences,
    drop_reasons
)
select
    producer_id, issued, sequences, received,
    received_in_sequence - activity_count(sequences), inserted, duplicate, dead_lettered,
    dropped_sequences, drop_reasons
from jsonb_to_recordset($1::text::jsonb) as batch (
    producer_id text, issued bigint, sequences int8multirange, received bigint, received_in_sequence bigint,
    inserted bigint, duplicate bigint, dead_lettered bigint, dropped_sequences int8multirange,
    drop_reasons jsonb
)
order by producer_id
on conflict (producer_id) do update set
    issued = case when activity_is_sequenced(producer.producer_id)
        then greatest(producer.issued, excluded.issued)
        else producer.issued + excluded.issued
    end,
    sequences = producer.sequences + excluded.sequences,
    received = producer.received + excluded.received,
    redelivered = producer.redelivered + excluded.redelivered
        + activity_count(producer.sequences * excluded.sequences),
    inserted = producer.inserted + excluded.inserted,
    duplicate = producer.duplicate + excluded.duplicate,
    dead_lettered = producer.dead_lettered + excluded.dead_lettered,
    dropped_sequences = producer.dropped_sequences + excluded.dropped_sequences,
    drop_reasons = activity_add_counts(producer.drop_reasons, excluded.drop_reasons),
    last_seen = clock_timestamp()

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
