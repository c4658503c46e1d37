-- name: create
-- A database of its own.
create database {name}

-- name: copy
-- The same without its triggers.
create database {name} template {template} strategy file_copy

-- name: multiply
-- More of the same, as years would leave it.
insert into app.audit_logs (
    created_at, table_name, operation, record_id, user_id, session_id, request_id, old_values, new_values,
    changed_fields, diff, context, source, action, category, severity, status, ip_address, application_name,
    db_user, description, entity_type, entity_id, parent_entity_type, parent_entity_id, duration_ms, metadata
)
select
    created_at - make_interval(days => n), table_name, operation, record_id, user_id, session_id, request_id,
    old_values, new_values, changed_fields, diff, context, source, action, category, severity, status, ip_address,
    application_name, db_user, description, entity_type, entity_id, parent_entity_type, parent_entity_id,
    duration_ms, metadata
from app.audit_logs
cross join generate_series(1, %(times)s) as n

-- name: settle
-- As autovacuum leaves it.
vacuum (analyze)

-- name: audit_size
-- What the audit table holds, since when, and what that takes with its indexes.
select
    count(*) filter (where created_at >= %(since)s), count(*), pg_total_relation_size('app.audit_logs')
from app.audit_logs

-- name: shop_events
-- How many events of changes have arrived.
select count(*) from activity_logs_current where metadata ? 'txid'

-- name: age
-- What was written before the two were written side by side.
update app.audit_logs set created_at = created_at - interval '1 day'

-- name: old_day
-- The events of the workload as those of a day that is over.
insert into activity_logs_current
    (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
select
    id, timestamp - make_interval(days => %(days)s), source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs
