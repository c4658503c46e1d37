-- name: wait
-- How long to wait for a lock.
select set_config('lock_timeout', %(lock_timeout)s, true)

-- name: one_at_a_time
-- One table at a time, whoever changes it: what a killed process has under way is over before anything is read.
select pg_advisory_xact_lock(hashtextextended('activity_legacy', 0))

-- name: qualify
-- Names mean what they say.
select set_config('search_path', '', true)

-- name: lock_table
-- Nobody writes the table, or changes its triggers.
lock table {relation} in access exclusive mode

-- name: uncount
-- What counts its changes goes with the last trigger that is back.
select activity_legacy.uncount(%(relation)s::regclass)
