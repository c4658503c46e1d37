-- name: keep
-- It is so, again or anew.
insert into activity_alerts as a (key, rule, severity, title, body)
values (%(key)s, %(rule)s, %(severity)s, %(title)s, %(body)s)
on conflict (key) do update set
    rule = excluded.rule, severity = excluded.severity, title = excluded.title, body = excluded.body,
    last_at = clock_timestamp(),
    first_at = case when a.resolved_at is null then a.first_at else clock_timestamp() end,
    told_at = case when a.resolved_at is null then a.told_at end,
    sent_at = case when a.resolved_at is null then a.sent_at end,
    resolved_at = null
returning key, rule, severity, title, body, first_at, last_at, told_at, sent_at, resolved_at, deliveries, failures

-- name: resolve
-- It is over. A run that failed after the look began is not: its own sensor has just noted it.
update activity_alerts set resolved_at = clock_timestamp()
where resolved_at is null and not key = any (%(keys)s::text[])
    and (rule <> 'failed run' or last_at < clock_timestamp() - interval '30 seconds')
returning key, rule, severity, title, body, first_at, last_at, told_at, sent_at, resolved_at, deliveries, failures

-- name: set_out
-- A message to each channel.
insert into activity_alert_deliveries (key, channel, severity, title, body)
select %(key)s, channel, %(severity)s, %(title)s, %(body)s
from unnest(%(channels)s::text[]) with ordinality as named (channel, place)
order by place

-- name: note_told
-- Messages have set out.
update activity_alerts set told_at = clock_timestamp() where key = %(key)s

-- name: give_up
-- What no channel took so far is no longer so.
update activity_alert_deliveries set due_at = null where key = %(key)s and due_at is not null

-- name: knowing
-- The channels that have heard of it.
select distinct channel from activity_alert_deliveries where key = %(key)s and taken_at >= %(since)s

-- name: give_up_others
-- Nobody listens there any more.
update activity_alert_deliveries set due_at = null, said = 'it is no longer a channel'
where due_at is not null and not channel = any (%(channels)s::text[])

-- name: claim_due
-- Messages to be sent now; a sender that dies leaves them due at the end of its lease.
update activity_alert_deliveries set tries = tries + 1, due_at = clock_timestamp() + %(lease)s
where due_at <= clock_timestamp() and id in (
    select id from (
        select id, row_number() over (partition by channel order by id) as place
        from activity_alert_deliveries
        where due_at <= clock_timestamp() and channel = any (%(channels)s::text[])
    ) as due
    where place <= %(most)s
)
returning id, key, channel, severity, title, body, at, tries, due_at, taken_at, said

-- name: note_reply
-- What a channel said.
with noted as (
    update activity_alert_deliveries set
        taken_at = case when %(taken)s then clock_timestamp() end,
        due_at = case when not %(taken)s and due_at is not null then clock_timestamp() + %(pause)s::interval end,
        said = %(said)s
    where id = %(id)s
    returning key
)
update activity_alerts as a set
    sent_at = case when %(taken)s then clock_timestamp() else a.sent_at end,
    deliveries = a.deliveries + (%(taken)s)::int,
    failures = a.failures + (not %(taken)s)::int
from noted
where a.key = noted.key

-- name: forget
-- Messages of long ago.
delete from activity_alert_deliveries where at < now() - interval '90 days' and due_at is null

-- name: deliveries
-- Messages of the last week.
select id, key, channel, severity, title, body, at, tries, due_at, taken_at, said
from activity_alert_deliveries
where at > clock_timestamp() - interval '7 days'
order by id desc

-- name: list
-- What lasts, and what was over lately.
select key, rule, severity, title, body, first_at, last_at, told_at, sent_at, resolved_at, deliveries, failures
from activity_alerts
where resolved_at is null or resolved_at > clock_timestamp() - interval '7 days'
order by resolved_at nulls first, first_at desc
