-- name: claim
-- One import of a table's day at a time; given back with the connection.
select pg_try_advisory_lock(hashtextextended('activity_import ' || %(table_name)s || ' ' || %(day)s::text, 0))

-- name: read
-- How far a day has got.
select rows, events, dead_lettered, fingerprint::text, finished_at is not null as is_finished, verified_at
from activity_imports
where table_name = %(table_name)s and day = %(day)s

-- name: list
-- Days of a table, in order.
select
    day, rows, events, dead_lettered, fingerprint::text, finished_at is not null as is_finished, verified_at
from activity_imports
where table_name = %(table_name)s
order by day

-- name: advance
-- So many rows further, in the transaction that stores them.
insert into activity_imports (table_name, day, rows, events, dead_lettered, fingerprint)
values ($1::text, $2::text::date, $3::bigint, $4::bigint, $5::bigint, $6::text::numeric)
on conflict (table_name, day) do update set
    rows = excluded.rows, events = excluded.events, dead_lettered = excluded.dead_lettered,
    fingerprint = excluded.fingerprint

-- name: begin
-- A day of which nothing was stored.
insert into activity_imports (table_name, day, rows, events, dead_lettered, fingerprint)
values (%(table_name)s, %(day)s, 0, 0, 0, 0)
on conflict do nothing

-- name: finish
-- The day was read whole.
update activity_imports set source_rows = %(source_rows)s, finished_at = clock_timestamp()
where table_name = %(table_name)s and day = %(day)s

-- name: verified
-- The archive has what was read.
update activity_imports set verified_at = clock_timestamp() where table_name = %(table_name)s and day = %(day)s
