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
    a.date, a.hour, a.kind, a.source, a.action, a.user_id, a.observed, a.expected, a.lower, a.upper, a.p_value,
    a.severity, a.sentence, k.by as acknowledged_by, k.at as acknowledged_at, k.note,
    (
        select max(m.until) from activity_anomaly_mutes m
        where m.source = a.source and m.user_id = a.user_id
            and coalesce(m.action, a.action) = a.action and coalesce(m.kind, a.kind) = a.kind
            and m.removed_at is null and m.until > clock_timestamp()
    ) as muted_until,
    count(*) over () as total
from activity_anomalies_daily a
left join activity_anomaly_acknowledgements k using (date, kind, source, action, user_id)
where date between %(first)s and %(last)s
    and (%(sources)s::text[] is null or source = any (%(sources)s))
    and (%(source)s::text is null or source = %(source)s)
    and (%(action)s::text is null or action = %(action)s)
order by date, kind, source, action, user_id
limit %(limit)s
