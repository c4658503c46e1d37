-- name: stored_bytes
-- Hot partitions and the late table, indexes and TOAST included.
select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
from (
    select relid from pg_partition_tree('activity_logs_current') where isleaf
    union all
    select 'activity_logs_late'::regclass
) as tables
