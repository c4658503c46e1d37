-- name: write
-- The events of a transaction.
insert into activity_outbox (line) select unnest(%(lines)s::text[])
