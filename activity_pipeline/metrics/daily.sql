-- Daily counts of `events`. Entities are told apart by type and id together.
select
    cast(timestamp as date) as date,
    source,
    action,
    status,
    count(*) as count,
    count(distinct user_id) as users,
    count(distinct case when entity_id is not null then struct_pack(t := entity_type, i := entity_id) end) as entities,
    min(timestamp) as first_at,
    max(timestamp) as last_at
from events
group by all
order by all
