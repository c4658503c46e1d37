-- name: rows
-- Audit rows of a span by transaction, and in the order in which they were written.
select
    {transaction}::text::bigint as txid,
    {schema}::text as schema_name,
    {table}::text as table_name,
    {operation}::text as operation,
    {key}::text as key,
    {time}::timestamptz as at,
    {old}::text as old,
    {new}::text as new
from {audit}
where {time} >= %(after)s and {time} < %(until)s and {transaction} is not null {but}
order by 1, {time}, ctid

-- name: but
-- But not those of redundant triggers.
and coalesce({column}::text, '') <> all ({values}::text[])
