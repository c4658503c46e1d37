-- name: copy_out
-- The stored rows as COPY sends them.
copy (
    select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
    from activity_logs_current order by timestamp
) to stdout (format binary)

-- name: copy_in
-- The same rows back in.
copy activity_logs_current (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
from stdin (format binary)
