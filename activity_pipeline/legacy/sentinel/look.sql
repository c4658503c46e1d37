-- name: statistics
-- Rows that were ever inserted, updated or deleted, those of rolled-back transactions among them.
select n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables where relid = %(relation)s::regclass

-- name: add_up
-- Statements become one figure for each table.
with taken as (
    delete from activity_legacy.changes returning relation, rows
)
update activity_legacy.counted
set rows = counted.rows + sums.rows
from (select relation, sum(rows)::bigint as rows from taken group by relation) as sums
where counted.relation = sums.relation

-- name: counts
-- Whether counting triggers were ever set up.
select to_regclass('activity_legacy.counted') is not null

-- name: counted
-- What the counting triggers have seen.
select rows from activity_legacy.counted where relation = %(relation)s::regclass

-- name: wait
-- How long to wait for a lock.
select set_config('lock_timeout', %(lock_timeout)s, true)

-- name: count
-- Count the changes of a table from now on.
select activity_legacy.count(%(relation)s::regclass)

-- name: uncount
-- No longer.
select activity_legacy.uncount(%(relation)s::regclass)

-- name: now
-- The clock that events and changes are told apart by.
select clock_timestamp()
