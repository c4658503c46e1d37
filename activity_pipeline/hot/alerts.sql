-- name: keep
-- It is so, again or anew.
insert into activity_alerts as a (key, rule, severity, title, body)
values (%(key)s, %(rule)s, %(severity)s, %(title)s, %(body)s)
on conflict (key) do update set
    rule = excluded.rule, severity = excluded.severity, title = excluded.title, body = excluded.body,
    last_at = clock_timestamp(),
    first_at = case when a.resolved_at is null then a.first_at else clock_timestamp() end,
    sent_at = case when a.resolved_at is null then a.sent_at end,
    resolved_at = null
returning key, rule, severity, title, body, first_at, last_at, sent_at, resolved_at, deliveries, failures

-- name: resolve
-- It is over.
update activity_alerts set resolved_at = clock_timestamp()
where resolved_at is null and not key = any (%(keys)s::text[])
returning key, rule, severity, title, body, first_at, last_at, sent_at, resolved_at, deliveries, failures

-- name: note_sent
-- Somebody was told.
update activity_alerts set sent_at = clock_timestamp(), deliveries = deliveries + 1 where key = %(key)s

-- name: note_failed
-- Nobody was.
update activity_alerts set failures = failures + 1 where key = %(key)s

-- name: list
-- What lasts, and what was over lately.
select key, rule, severity, title, body, first_at, last_at, sent_at, resolved_at, deliveries, failures
from activity_alerts
where resolved_at is null or resolved_at > clock_timestamp() - interval '7 days'
order by resolved_at nulls first, first_at desc
