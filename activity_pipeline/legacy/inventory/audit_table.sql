-- name: columns
-- Names and types of a table's columns, in order.
select a.attname::text, format_type(a.atttypid, null)
from pg_attribute as a
where a.attrelid = %(relation)s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum

-- name: size
-- Rows as Postgres estimates them, and bytes with indexes, partitions included.
with recursive below as (
    select %(relation)s::regclass::oid as id
    union all
    select i.inhrelid from pg_inherits as i join below on i.inhparent = below.id
)
select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from below join pg_class as c on c.oid = below.id

-- name: span
-- The first and the last row.
select min({time})::timestamptz, max({time})::timestamptz from {table}

-- name: recent
-- Rows since an instant by the table that they are about, and how many of them name a user.
select {about}::text, count(*), count({user}) from {table} where {time} >= %(since)s group by 1

-- name: impatient
-- Give up what takes too long.
select set_config('statement_timeout', %(milliseconds)s::text, true)
