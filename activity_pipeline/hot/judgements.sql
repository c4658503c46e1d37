-- name: anomalies
-- Anomalies of a range with what people said of them.
select
    a.date, a.hour, a.kind, a.source, a.action, a.user_id, a.observed, a.expected, a.lower, a.upper, a.p_value,
    a.severity, a.sentence,
    (
        select min(m.id) from activity_anomaly_mutes m
        where m.source = a.source and m.user_id = a.user_id and coalesce(m.action, a.action) = a.action and coalesce(m.kind, a.kind) = a.kind
            and m.removed_at is null and m.until > clock_timestamp()
    ) as muted,
    k.by as acknowledged_by, k.note
from activity_anomalies_daily a
left join activity_anomaly_acknowledgements k using (date, kind, source, action, user_id)
where a.date between %(first)s and %(last)s
order by a.date, a.source, a.action, a.user_id, a.kind

-- name: acknowledge
-- Somebody has looked at them.
insert into activity_anomaly_acknowledgements (date, kind, source, action, user_id, by, note)
select date, kind, source, action, user_id, %(by)s, %(note)s
from activity_anomalies_daily
where date = %(day)s and source = %(source)s and action = %(action)s and user_id = %(user)s
    and (%(kind)s::text is null or kind = %(kind)s)
on conflict (date, kind, source, action, user_id)
do update set by = excluded.by, note = excluded.note, at = clock_timestamp()

-- name: mute
-- From now on.
insert into activity_anomaly_mutes (source, action, user_id, kind, until, by, reason)
values (%(source)s, %(action)s, %(user)s, %(kind)s, %(until)s, %(by)s, %(reason)s)
returning id, source, action, user_id, kind, until, by, reason, since, removed_at, removed_by

-- name: unmute
-- No longer, and kept.
update activity_anomaly_mutes set removed_at = clock_timestamp(), removed_by = %(by)s
where id = %(id)s and removed_at is null and until > clock_timestamp()
returning id, source, action, user_id, kind, until, by, reason, since, removed_at, removed_by

-- name: mutes
-- Those in force.
select id, source, action, user_id, kind, until, by, reason, since, removed_at, removed_by
from activity_anomaly_mutes
where removed_at is null and until > clock_timestamp()
order by id
