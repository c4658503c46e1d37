-- name: select
-- The day, which has the table for itself.
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs_current

-- name: select_texts
-- The same as Polars takes it from rows: it knows neither UUIDs nor JSON.
select id::text, timestamp, source, action, entity_type, entity_id, user_id::text, status, metadata::text
from activity_logs_current
