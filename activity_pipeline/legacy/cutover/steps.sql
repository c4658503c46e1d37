-- name: exists
-- Whether the records are here.
select to_regclass('activity_legacy.steps') is not null

-- name: lock_install
-- One installation at a time.
select pg_advisory_xact_lock(hashtextextended('activity_legacy', 0))

-- name: record
-- A step, in the transaction that takes it.
insert into activity_legacy.steps (action, phase, phase_name, table_name, trigger_name, trigger, gate)
values (
    %(action)s, %(phase)s, %(phase_name)s, %(table_name)s, %(trigger_name)s, %(trigger)s::jsonb, %(gate)s::jsonb
)

-- name: dropped
-- Triggers whose last step is a drop, newest first.
select phase, phase_name, table_name, trigger_name, trigger::text, at
from (
    select distinct on (table_name, trigger_name) *
    from activity_legacy.steps
    order by table_name, trigger_name, id desc
) as newest
where action = 'drop'
order by id desc
