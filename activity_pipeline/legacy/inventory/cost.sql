-- name: function_costs
-- Calls and milliseconds of functions, where Postgres counts them (track_functions).
select format('%s.%s', schemaname, funcname), sum(calls)::bigint, sum(total_time)::float
from pg_stat_user_functions
group by 1

-- name: short_waits
-- Wait for nobody, and stop what takes long.
select set_config('lock_timeout', '200ms', true), set_config('statement_timeout', '10s', true)

-- name: some_rows
-- Where a few rows are.
select ctid::text from {table} limit %(rows)s

-- name: columns
-- Columns that can be written, in order, and whether the key has them.
select a.attname::text,
    exists (
        select from pg_index as i
        where i.indrelid = a.attrelid and i.indisunique and a.attnum = any (i.indkey::int2[])
    )
from pg_attribute as a
where a.attrelid = %(relation)s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
order by 2, a.attnum

-- name: copy
-- The rows, kept for a moment.
create temporary table activity_legacy_sample on commit drop as
select {columns} from {table} where ctid = any (%(places)s::tid[])

-- name: update
-- The same values once more.
explain (analyze, format json) update {table} set {column} = {column} where ctid = any (%(places)s::tid[])

-- name: delete
-- The rows away, with what refers to them.
explain (analyze, format json) delete from {table} where ctid = any (%(places)s::tid[])

-- name: insert
-- And here again.
explain (analyze, format json) insert into {table} ({columns}) overriding system value
select {columns} from activity_legacy_sample
