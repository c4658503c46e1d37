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
