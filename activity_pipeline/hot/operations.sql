-- name: add
-- Durations of some hours, added to what other processes wrote of them.
insert into activity_operations as o (
    hour, operation, count, failures, items, refused, seconds, longest_s, buckets
)
select hour, operation, count, failures, items, refused, seconds, longest_s, buckets
from jsonb_to_recordset(%(rows)s::jsonb) as recorded (
    hour timestamptz, operation text, count bigint, failures bigint, items bigint, refused bigint,
    seconds double precision, longest_s double precision, buckets bigint[]
)
order by hour, operation
on conflict (hour, operation) do update set
    count = o.count + excluded.count,
    failures = o.failures + excluded.failures,
    items = o.items + excluded.items,
    refused = o.refused + excluded.refused,
    seconds = o.seconds + excluded.seconds,
    longest_s = greatest(o.longest_s, excluded.longest_s),
    buckets = activity_add_buckets(o.buckets, excluded.buckets)

-- name: put_quantiles
-- The quantiles of the hours that were added to.
update activity_operations o set
    p50_s = least(activity_quantile(o.buckets, 0.5), o.longest_s),
    p95_s = least(activity_quantile(o.buckets, 0.95), o.longest_s),
    p99_s = least(activity_quantile(o.buckets, 0.99), o.longest_s)
from jsonb_to_recordset(%(rows)s::jsonb) as recorded (hour timestamptz, operation text)
where o.hour = recorded.hour and o.operation = recorded.operation

-- name: add_totals
-- The same durations, added to those of all time.
insert into activity_operation_totals as o (
    operation, count, failures, items, refused, seconds, longest_s, buckets
)
select operation, count, failures, items, refused, seconds, longest_s, buckets
from jsonb_to_recordset(%(rows)s::jsonb) as recorded (
    operation text, count bigint, failures bigint, items bigint, refused bigint, seconds double precision,
    longest_s double precision, buckets bigint[]
)
order by operation
on conflict (operation) do update set
    count = o.count + excluded.count,
    failures = o.failures + excluded.failures,
    items = o.items + excluded.items,
    refused = o.refused + excluded.refused,
    seconds = o.seconds + excluded.seconds,
    longest_s = greatest(o.longest_s, excluded.longest_s),
    buckets = activity_add_buckets(o.buckets, excluded.buckets)

-- name: forget
-- Hours of long ago.
delete from activity_operations where hour < now() - interval '90 days'

-- name: hours
-- The hours from one on, in order.
select hour, operation, count, failures, items, refused, seconds, longest_s, buckets
from activity_operations
where hour >= %(since)s
order by hour, operation

-- name: totals
-- All time.
select operation, count, failures, items, refused, seconds, longest_s, buckets
from activity_operation_totals
