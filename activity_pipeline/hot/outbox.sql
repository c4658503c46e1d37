-- name: take
-- The oldest rows that no other drain has, up to a number and a size, out of the table.
with taken as (
    select id, octet_length(line) as size_bytes
    from activity_outbox
    order by id
    limit $1::bigint
    for update skip locked
),
fitting as (
    select id
    from (select id, sum(size_bytes) over (order by id) - size_bytes as bytes_before from taken) as sized
    where bytes_before < $2::bigint
)
delete from activity_outbox
using fitting
where activity_outbox.id = fitting.id
returning
    activity_outbox.id,
    -- Within the calendar, whatever someone wrote.
    floor(least(greatest(extract(epoch from created_at), 0), 253402300799) * 1000)::bigint as milliseconds,
    convert_to(line, 'UTF8') as line

-- name: take_again
-- The same rows once more, after a rollback.
delete from activity_outbox where id = any (string_to_array($1::text, ',')::bigint[]) returning id

-- name: exists
-- Whether there is an outbox here.
select to_regclass('activity_outbox') is not null

-- name: waiting
-- How many rows wait, counted up to a limit, and for how long the oldest has, in seconds.
select count(*), coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float
from (select created_at from activity_outbox order by id limit %(limit)s) as oldest

-- name: refused_before
-- Entries of which a dead letter is kept.
select distinct entry_id from activity_dead_letters where shard = %(shard)s and entry_id = any (%(entry_ids)s)

-- name: lines
-- All that waits.
select line from activity_outbox
