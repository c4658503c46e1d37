-- name: create_table
-- The least that an INSERT per event needs.
create table activity_logs_inserted (
    id uuid primary key,
    timestamp timestamptz not null default clock_timestamp(),
    action text not null,
    entity_type text,
    entity_id text,
    user_id uuid,
    metadata jsonb
)

-- name: insert
-- One event.
insert into activity_logs_inserted (id, action, entity_type, entity_id, user_id, metadata)
values (%(id)s, %(action)s, %(entity_type)s, %(entity_id)s, %(user_id)s, %(metadata)s)
