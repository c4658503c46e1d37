-- name: select
-- The day, which has the table for itself.
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs_current
