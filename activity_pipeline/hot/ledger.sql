-- name: one_snapshot
-- All counts of one instant.
set transaction isolation level repeatable read, read only

-- name: totals
-- Every figure of the ledger.
with producers as (
    select
        coalesce(sum(issued), 0)::bigint as issued,
        coalesce(sum(redelivered), 0)::bigint as redelivered,
        coalesce(sum(received), 0)::bigint as received,
        coalesce(sum(activity_count(dropped_sequences)), 0)::bigint as dropped,
        coalesce(
            sum(issued - activity_count(sequences + dropped_sequences)) filter (where activity_is_sequenced(producer_id)), 0
        )::bigint as missing,
        coalesce(sum(inserted), 0)::bigint as inserted,
        coalesce(sum(duplicate), 0)::bigint as duplicate,
        coalesce(sum(dead_lettered), 0)::bigint as dead_lettered
    from activity_producers
),
days as (
    select
        coalesce(sum(received), 0)::bigint as received_by_day,
        coalesce(sum(inserted), 0)::bigint as inserted_by_day,
        coalesce(sum(duplicate), 0)::bigint as duplicate_by_day,
        coalesce(sum(dead_lettered), 0)::bigint as dead_lettered_by_day,
        coalesce(sum(erased), 0)::bigint as erased
    from activity_ledger
),
kept as (
    select coalesce(sum(event_count), 0)::bigint as dead_letters_kept
    from activity_dead_letters
    where state <> 'replayed'
),
states as (
    select
        coalesce(sum(archived_rows), 0)::bigint as archived,
        count(*) filter (where state in ('open', 'sealed', 'frozen', 'exported') and archived_rows = 0) as hot_days,
        count(*) filter (where archived_rows > 0) as archived_days
    from activity_days
)
select
    issued, redelivered, received, dropped, missing, inserted, duplicate, dead_lettered, dead_letters_kept,
    received_by_day, inserted_by_day, duplicate_by_day, dead_lettered_by_day,
    (select count(*) from activity_logs_current) as hot,
    (select count(*) from activity_logs_late) as late,
    archived, erased, hot_days, archived_days
from producers, days, kept, states

-- name: producers
-- The same by producer.
select
    producer_id, issued, redelivered, received, activity_count(dropped_sequences) as dropped,
    case when activity_is_sequenced(producer_id) then issued - activity_count(sequences + dropped_sequences) else 0 end
        as missing,
    inserted, duplicate, dead_lettered,
    case when activity_is_sequenced(producer_id)
        then (int8multirange(int8range(0, issued)) - sequences - dropped_sequences)::text else '{}' end as missing_ranges,
    drop_reasons, first_seen, last_seen
from activity_producers
order by last_seen desc, producer_id

-- name: days
-- The same by day: of the event, but of arrival for what arrived and what was refused.
with hot as (
    select (timestamp at time zone 'UTC')::date as day, count(*) as events from activity_logs_current group by 1
),
late as (
    select (timestamp at time zone 'UTC')::date as day, count(*) as events from activity_logs_late group by 1
)
select
    day, coalesce(state, '') as state, coalesce(arrived, 0) as arrived, coalesce(received, 0) as received,
    coalesce(inserted, 0) as inserted, coalesce(duplicate, 0) as duplicate,
    coalesce(dead_lettered, 0) as dead_lettered, coalesce(hot.events, 0) as hot,
    coalesce(late.events, 0) as late, coalesce(archived_rows, 0) as archived, coalesce(erased, 0) as erased
from activity_ledger
full join activity_days using (day)
full join hot using (day)
full join late using (day)
where (%(first)s::date is null or day >= %(first)s) and (%(last)s::date is null or day <= %(last)s)
order by day desc

-- name: arrivals
-- What arrived on each day, and how much of it is still refused.
select day, arrived, dead_lettered from activity_ledger
where day >= %(first)s and dead_lettered > 0
order by day
