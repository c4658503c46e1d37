-- name: day
-- Events and failures by day, all series that fit together.
select
    date::timestamp at time zone 'UTC' as start, sum(count)::bigint as events,
    coalesce(sum(count) filter (where lower(status) = any (%(failure_statuses)s)), 0)::bigint as failures
from activity_metrics_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text[] is null or source = any (%(source)s))
    and (%(action)s::text[] is null or action = any (%(action)s))
    and (%(action_prefix)s::text is null or starts_with(action, %(action_prefix)s))
    and (%(status)s::text[] is null or status = any (%(status)s))
group by date
order by date

-- name: hour
-- The same by hour.
select
    hour as start, sum(count)::bigint as events,
    coalesce(sum(count) filter (where lower(status) = any (%(failure_statuses)s)), 0)::bigint as failures
from activity_metrics_hourly
where hour >= %(first)s::date::timestamp at time zone 'UTC'
    and hour < (%(last)s::date + 1)::timestamp at time zone 'UTC'
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text[] is null or source = any (%(source)s))
    and (%(action)s::text[] is null or action = any (%(action)s))
    and (%(action_prefix)s::text is null or starts_with(action, %(action_prefix)s))
    and (%(status)s::text[] is null or status = any (%(status)s))
group by hour
order by hour

-- name: sources
-- Sources with the most events.
select
    source as name, sum(count)::bigint as events,
    coalesce(sum(count) filter (where lower(status) = any (%(failure_statuses)s)), 0)::bigint as failures
from activity_metrics_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
group by source
order by events desc, source
limit %(limit)s

-- name: actions
-- Actions with the most events.
select
    action as name, sum(count)::bigint as events,
    coalesce(sum(count) filter (where lower(status) = any (%(failure_statuses)s)), 0)::bigint as failures
from activity_metrics_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
group by action
order by events desc, action
limit %(limit)s

-- name: failing_actions
-- Actions with the most failures.
select
    action as name, sum(count)::bigint as events,
    sum(count) filter (where lower(status) = any (%(failure_statuses)s))::bigint as failures
from activity_metrics_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
group by action
having bool_or(lower(status) = any (%(failure_statuses)s))
order by failures desc, action
limit %(limit)s

-- name: users
-- Users with the most events; they are not counted by source.
select user_id::text as name, sum(events)::bigint as events, sum(failures)::bigint as failures
from activity_users_daily
where date between %(first)s and %(last)s
group by user_id
order by events desc, name
limit %(limit)s
