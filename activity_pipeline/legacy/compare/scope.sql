-- name: columns
-- Names of a table's columns.
select attname::text
from pg_attribute
where attrelid = to_regclass(%(relation)s) and attnum > 0 and not attisdropped

-- name: steps
-- What was done to triggers that were not redundant, in order.
select table_name, trigger_name, action, at
from activity_legacy.steps
where phase_name <> 'redundant'
order by id

-- name: begun
-- When the oldest transaction that writes has begun: its rows are not all there yet.
select least(clock_timestamp(), min(xact_start))
from pg_stat_activity
where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()
