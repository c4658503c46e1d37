-- name: lock_results
-- Two computations of the same days must not both insert. The commit need not wait for the disk: `note_…`
-- comes after it, and waits for both.
select pg_advisory_xact_lock(hashtextextended('activity_results', 0)), set_config('synchronous_commit', 'off', true)

-- name: lock_kind
-- One computation at a time.
select pg_advisory_lock(hashtextextended('activity_results_' || %(kind)s::text, 0))

-- name: unlock_kind
-- Let the next one begin.
select pg_advisory_unlock(hashtextextended('activity_results_' || %(kind)s::text, 0))

-- name: clear_activity_metrics_daily
-- Rows that are about to be replaced.
delete from activity_metrics_daily where date = any (string_to_array($1::text, ',')::date[])

-- name: clear_activity_metrics_hourly
-- Rows that are about to be replaced.
delete from activity_metrics_hourly h
using unnest(string_to_array($1::text, ',')::date[]) as d (day)
where h.hour >= d.day::timestamp at time zone 'UTC' and h.hour < (d.day + 1)::timestamp at time zone 'UTC'

-- name: clear_activity_users_daily
-- Rows that are about to be replaced.
delete from activity_users_daily where date = any (string_to_array($1::text, ',')::date[])

-- name: clear_activity_anomalies_daily
-- Rows that are about to be replaced.
delete from activity_anomalies_daily where date = any (string_to_array($1::text, ',')::date[])

-- name: note_metrics
-- What a day's metrics were computed from.
insert into activity_computed_days (day, metrics_revision) values (%(day)s, %(revision)s)
on conflict (day) do update set metrics_revision = excluded.metrics_revision

-- name: note_anomalies
-- What a day's anomalies were computed from.
insert into activity_computed_days (day, anomalies_revision) values (%(day)s, %(revision)s)
on conflict (day) do update set anomalies_revision = excluded.anomalies_revision

-- name: read_activity_metrics_daily
-- Daily metrics of a range.
select date, source, action, status, count, users, entities, first_at, last_at, generation, revision
from activity_metrics_daily
where date between $1::text::date and $2::text::date
order by date, source, action, status

-- name: read_activity_metrics_hourly
-- Hourly metrics of a range of days.
select hour, source, action, status, count, generation, revision
from activity_metrics_hourly
where hour >= $1::text::date::timestamp at time zone 'UTC'
    and hour < ($2::text::date + 1)::timestamp at time zone 'UTC'
order by hour, source, action, status

-- name: read_activity_users_daily
-- What users did on a range of days.
select date, user_id, events, failures, actions, first_hour, last_hour, generation, revision
from activity_users_daily
where date between $1::text::date and $2::text::date
order by date, user_id

-- name: read_activity_anomalies_daily
-- Daily anomalies of a range.
select
    date, hour, kind, source, action, user_id, observed, expected, lower, upper, p_value, severity, sentence,
    generation, revision
from activity_anomalies_daily
where date between $1::text::date and $2::text::date
order by date, kind, source, action, user_id

-- name: first_seen
-- The first day of each action, and its events then.
select distinct on (source, action) source, action, date as first, sum(count)::bigint as events
from activity_metrics_daily
group by source, action, date
order by source, action, date

-- name: volume
-- Events by hour of some days, all series together.
select h.hour, sum(h.count)::bigint as count
from unnest(%(days)s::date[]) as d (day)
join activity_metrics_hourly h
    on h.hour >= d.day::timestamp at time zone 'UTC' and h.hour < (d.day + 1)::timestamp at time zone 'UTC'
group by h.hour
order by h.hour

-- name: gaps
-- Days that hold events and have no metrics.
select l.day from activity_ledger l
where l.inserted > l.erased and l.day < %(before)s
    and not exists (select from activity_metrics_daily m where m.date = l.day)
order by l.day

-- name: erase_user
-- Counts of one user.
delete from activity_users_daily where user_id = %(user_id)s

-- name: erase_user_anomalies
-- What was unusual about one user.
delete from activity_anomalies_daily where user_id = %(user_id)s::text

-- name: erase_user_acknowledgements
-- What people said of it.
delete from activity_anomaly_acknowledgements where user_id = %(user_id)s::text

-- name: erase_user_mutes
-- That they wanted to hear of none.
delete from activity_anomaly_mutes where user_id = %(user_id)s::text

-- name: erase_user_alerts
-- That they were told of it.
delete from activity_alerts where position(%(user_id)s::text in key) > 0

-- name: generations
-- The archive generation of each day's metrics.
select date, max(generation) from activity_metrics_daily where date = any (%(days)s) group by date

-- name: revisions
-- Where each day stands.
select day, revision from activity_days where day = any (%(days)s::date[])

-- name: stale_metrics
-- Days whose events changed since their metrics.
select d.day from activity_days d left join activity_computed_days c using (day)
where d.revision > 0 and d.revision is distinct from c.metrics_revision
order by d.day

-- name: stale_anomalies
-- Days whose metrics changed since their anomalies.
select d.day from activity_days d left join activity_computed_days c using (day)
where d.revision > 0 and d.revision is distinct from c.anomalies_revision
order by d.day
