-- name: count
-- A subject's rows by file and day.
select filename, timestamp::date as day, count(*) from matched group by all order by all

-- name: held
-- A hold that covers one of them.
select min(h.id)
from matched m
join holds h
    on m.user_id = h.user_id::uuid
    or (m.entity_type = h.entity_type and m.entity_id = h.entity_id)
    or m.timestamp::date between h.first_day and h.last_day
