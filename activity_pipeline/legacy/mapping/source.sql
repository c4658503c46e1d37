-- name: exists
-- The table's name as Postgres writes it; null where there is none.
select to_regclass(%(relation)s)::text

-- name: columns
-- Names and types of a table's columns, in order.
select attname::text, format_type(atttypid, null)
from pg_attribute
where attrelid = %(relation)s::regclass and attnum > 0 and not attisdropped
order by attnum

-- name: key
-- The columns of the primary key, in order.
select a.attname::text
from pg_index as i
cross join unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = %(relation)s::regclass and i.indisprimary
order by k.place

-- name: words
-- What a column holds in the newest rows.
select distinct word from (
    select {column}::text as word from {table} order by {time} desc limit 10000
) as newest
where word is not null
order by word
limit 100

-- name: sample
-- The newest rows, and some of any age.
(select to_jsonb(t)::text from {table} as t order by {time} desc limit %(rows)s)
union all
(select to_jsonb(t)::text from {table} as t tablesample system (1) limit %(rows)s)

-- name: rows
-- A part of time in the order in which it is always read.
select to_jsonb(t)::text from {table} as t
where {time} >= %(since)s and {time} < %(until)s
order by {time}, {key}

-- name: count
-- Rows of a part of time.
select count(*) from {table} where {time} >= %(since)s and {time} < %(until)s

-- name: span
-- The first and the last time, of those that are on a day that a date has.
select min({time}), max({time}) from {table} where {time} >= '0001-01-02' and {time} < '9999-12-30'

-- name: undated
-- Rows that are on no such day; by an index on the time, where there is one.
select count(*) from {table} where {time} is null or {time} < '0001-01-02' or {time} >= '9999-12-30'
