-- name: found
-- Which of the events are there.
select id from activity_logs_current where timestamp >= %(since)s and id = any (%(ids)s::uuid[])
