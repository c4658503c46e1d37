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
