-- name: stored_bytes
-- Hot partitions and the late table, indexes and TOAST included.
select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
from (
    select relid from pg_partition_tree('activity_logs_current') where isleaf
    union all
    select 'activity_logs_late'::regclass
) as tables

-- name: partition_bytes
-- Partitions of days, indexes and TOAST included.
select d.day, pg_total_relation_size(c.oid)
from unnest(%(days)s::date[]) as d (day)
join pg_class c on c.relname = 'activity_logs_current_' || to_char(d.day, 'YYYYMMDD')
join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'activity_logs_current'::regclass
