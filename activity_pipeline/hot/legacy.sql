-- name: parity
-- What was compared in a window of days, by table; a day that was compared before it was over is unfinished.
select
    table_name,
    sum(matched)::bigint as matched,
    sum(missing)::bigint as missing,
    sum(extra)::bigint as extra,
    sum(different)::bigint as different,
    array_agg(day order by day) as days,
    array_agg(day order by day) filter (
        where day < %(today)s and checked_at < (day + 1)::timestamp at time zone 'UTC'
    ) as unfinished
from activity_legacy_parity
where day between %(first)s and %(last)s
group by table_name

-- name: parity_by_day
-- What was compared of each day, all tables together.
select day, matched, missing, extra, different
from activity_legacy_parity
where table_name = %(everything)s and day between %(first)s and %(last)s
order by day

-- name: forget
-- What is known of a day is compared anew.
delete from activity_legacy_parity where day = %(day)s

-- name: keep
-- A table's day, until when it was compared.
insert into activity_legacy_parity (day, table_name, matched, missing, extra, different, checked_at)
values (%(day)s, %(table_name)s, %(matched)s, %(missing)s, %(extra)s, %(different)s, %(judged_until)s)
