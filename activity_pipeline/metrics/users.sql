-- What each user did on a day of `events`.
select
    cast(timestamp as date) as date,
    user_id,
    count(*) as events,
    count(*) filter (where lower(status) in (select unnest(getvariable('failure_statuses')))) as failures,
    count(distinct struct_pack(s := source, a := action)) as actions,
    hour(min(timestamp)) as first_hour,
    hour(max(timestamp)) as last_hour
from events
where user_id is not null
group by all
order by all
