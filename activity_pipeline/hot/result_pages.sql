-- name: metrics
-- Daily metrics that fit, the first of them, each with how many there are.
select date, source, action, status, count, users, entities, first_at, last_at, count(*) over () as total
from activity_metrics_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
    and (%(action)s::text is null or action = %(action)s)
order by date, source, action, status
limit %(limit)s

-- name: anomalies
-- The same of daily anomalies.
select
    date, hour, kind, source, action, user_id, observed, expected, lower, upper, p_value, severity, sentence,
    count(*) over () as total
from activity_anomalies_daily
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
    and (%(action)s::text is null or action = %(action)s)
order by date, kind, source, action, user_id
limit %(limit)s
