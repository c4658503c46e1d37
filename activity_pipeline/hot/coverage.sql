-- name: newest
-- The last look at each table.
select distinct on (table_name) table_name, looked_at, method, since, counter, changes, events
from activity_legacy_coverage
order by table_name, looked_at desc

-- name: keep
-- One look at a table.
insert into activity_legacy_coverage (table_name, looked_at, method, since, counter, changes, events)
values (%(table_name)s, %(looked_at)s, %(method)s, %(since)s, %(counter)s, %(changes)s, %(events)s)

-- name: prune
-- Looks that nobody asks for any more.
delete from activity_legacy_coverage where looked_at < %(before)s

-- name: unsettled
-- Looks whose events have had time to arrive, with what was counted until the look before.
select
    c.table_name, c.looked_at, c.method, c.since, c.counter, c.changes,
    p.looked_at as counted_until, p.events as counted
from activity_legacy_coverage as c
join lateral (
    select looked_at, events from activity_legacy_coverage as p
    where p.table_name = c.table_name and p.since = c.since and p.events is not null
        and p.looked_at < c.looked_at
    order by p.looked_at desc
    limit 1
) as p on true
where c.events is null and c.looked_at <= %(before)s
order by c.looked_at, c.table_name

-- name: count_events
-- Changes that events of a span tell of: one each, or as many as they say. They name the table with its
-- schema, or as their entity.
select coalesce(sum(case when metadata ->> 'rows' ~ '^\d{1,9}$' then (metadata ->> 'rows')::bigint else 1 end), 0)::bigint
from activity_logs
where timestamp > %(after)s and timestamp <= %(until)s
    and coalesce(metadata ->> 'table', entity_type) in (%(table_name)s, %(bare_name)s)

-- name: settle
-- What the events of a look came to.
update activity_legacy_coverage set events = %(events)s
where table_name = %(table_name)s and looked_at = %(looked_at)s

-- name: bypasses
-- By how much the changes without an event have grown since an instant. What is on its way makes the
-- difference too small for a moment, never too large: so the largest one counts.
select
    table_name, method,
    greatest(max(changes - events), 0)
        - greatest(coalesce(max(changes - events) filter (where looked_at < %(since)s), 0), 0) as rows,
    max(looked_at) as looked_at
from activity_legacy_coverage
where events is not null
group by table_name, method, activity_legacy_coverage.since
having max(looked_at) >= %(since)s
    and greatest(max(changes - events), 0)
        > greatest(coalesce(max(changes - events) filter (where looked_at < %(since)s), 0), 0)
order by rows desc, table_name
