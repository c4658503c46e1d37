-- name: typical_user
-- Half of the users have more events than this one.
with users as (
    select user_id, count(*) as events from activity_logs where user_id is not null group by user_id
)
select user_id from users order by events, user_id offset (select count(*) // 2 from users) limit 1

-- name: one_user
-- All that one user did.
select * from activity_logs where user_id = $user order by timestamp, id

-- name: source_and_day
-- Events of each source on each day.
select source, date, count(*) as events from activity_logs group by all order by all

-- name: years
-- Events of each year.
select year(date) as year, count(*) as events from activity_logs group by all order by all
