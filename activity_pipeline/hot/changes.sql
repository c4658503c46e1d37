-- name: changes
-- Events that tell of changes of rows, by their transaction and in the order in which they were logged.
select
    (metadata ->> 'txid')::bigint as txid,
    coalesce(metadata ->> 'table', entity_type) as table_name,
    upper(metadata ->> 'operation') as operation,
    entity_id as key,
    timestamp as at,
    case when metadata ->> 'rows' ~ '^\d{1,9}$' then (metadata ->> 'rows')::bigint end as rows,
    metadata ->> 'old' as old,
    metadata ->> 'new' as new,
    metadata ->> 'cut' as cut
from activity_logs
where timestamp >= %(after)s and timestamp < %(until)s
    and metadata ->> 'txid' ~ '^\d{1,18}$'
    and metadata ->> 'operation' is not null
    and (%(sources)s::text[] is null or source = any (%(sources)s::text[]))
order by 1, timestamp, id
