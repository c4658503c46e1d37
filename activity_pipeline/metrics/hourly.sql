-- Hourly counts of `events`.
select
    date_trunc('hour', timestamp) as hour,
    source,
    action,
    status,
    count(*) as count
from events
group by all
order by all
