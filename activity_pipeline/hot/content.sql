-- name: held_current
-- Rows of a partition: how many, the two sums of their content hash (events/content.py), their versions.
select
    count(*),
    sum(('x' || substr(hash, 1, 15))::bit(60)::bigint),
    sum(('x' || substr(hash, 16, 15))::bit(60)::bigint),
    concat_ws('.', count(*), sum(version), sum(place))
from (
    select
        encode(
            activity_event_hash(
                id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
            ),
            'hex'
        ) as hash,
        xmin::text::bigint as version,
        hashtid(ctid) as place
    from activity_logs_current
    where timestamp >= %(first_at)s and timestamp < %(end_at)s
) as events

-- name: held_late
-- The same of a day's late rows up to its cut.
select
    count(*),
    sum(('x' || substr(hash, 1, 15))::bit(60)::bigint),
    sum(('x' || substr(hash, 16, 15))::bit(60)::bigint),
    concat_ws('.', count(*), sum(version), sum(place))
from (
    select
        encode(
            activity_event_hash(
                id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
            ),
            'hex'
        ) as hash,
        xmin::text::bigint as version,
        hashtid(ctid) as place
    from activity_logs_late
    where timestamp >= %(first_at)s and timestamp < %(end_at)s
        and arrived <= (select late_cut from activity_days where day = (%(first_at)s at time zone 'UTC')::date)
) as events

-- name: versions_current
-- Which row versions a partition holds: each row's transaction and place.
select concat_ws('.', count(*), sum(xmin::text::bigint), sum(hashtid(ctid)))
from activity_logs_current
where timestamp >= %(first_at)s and timestamp < %(end_at)s

-- name: versions_late
-- The same of a day's late rows up to its cut.
select concat_ws('.', count(*), sum(xmin::text::bigint), sum(hashtid(ctid)))
from activity_logs_late
where timestamp >= %(first_at)s and timestamp < %(end_at)s
    and arrived <= (select late_cut from activity_days where day = (%(first_at)s at time zone 'UTC')::date)
