-- name: read
-- Newest first, each with so many bytes of its line.
select
    id, received_at, shard, entry_id, line_number, producer_id, reason, event_count, state, replayed_at,
    octet_length(line) as size_bytes, substring(line for %(line_bytes)s) as line, other_fields
from activity_dead_letters
where (%(ids)s::bigint[] is null or id = any (%(ids)s))
    and (%(reasons)s::text[] is null or reason = any (%(reasons)s))
    and (%(first)s::date is null or received_at >= %(first)s::date::timestamp at time zone 'UTC')
    and (%(last)s::date is null or received_at < (%(last)s::date + 1)::timestamp at time zone 'UTC')
    and (%(producer_id)s::text is null or producer_id = %(producer_id)s)
    and (%(state)s::text is null or state = %(state)s)
order by id desc
limit %(limit)s

-- name: by_reason
-- The same, counted.
select
    reason, count(*) as letters, sum(event_count)::bigint as events,
    min(received_at) as first_at, max(received_at) as last_at
from activity_dead_letters
where (%(ids)s::bigint[] is null or id = any (%(ids)s))
    and (%(reasons)s::text[] is null or reason = any (%(reasons)s))
    and (%(first)s::date is null or received_at >= %(first)s::date::timestamp at time zone 'UTC')
    and (%(last)s::date is null or received_at < (%(last)s::date + 1)::timestamp at time zone 'UTC')
    and (%(producer_id)s::text is null or producer_id = %(producer_id)s)
    and (%(state)s::text is null or state = %(state)s)
group by reason
order by events desc, reason

-- name: claim
-- Open ones, locked: another replay takes the others.
select
    id, received_at, shard, entry_id, line_number, producer_id, reason, event_count, state, replayed_at,
    octet_length(line) as size_bytes, line, other_fields
from activity_dead_letters
where state = 'open' and id = any (string_to_array($1::text, ',')::bigint[])
order by id
for update skip locked

-- name: unstorable
-- Which texts jsonb cannot keep.
select number::integer - 1
from unnest(%(texts)s::text[]) with ordinality as metadata (text, number)
where text is not null and not activity_is_jsonb(text)

-- name: take_back
-- Their days no longer count them as dead; those of their events do, each as what became of it.
update activity_ledger as ledger set
    received = ledger.received - back.events,
    dead_lettered = ledger.dead_lettered - back.events
from (
    select day, events
    from jsonb_to_recordset($1::text::jsonb) as given (day date, events bigint)
    order by day
) as back
where ledger.day = back.day

-- name: close
-- Stored after all.
update activity_dead_letters set state = 'replayed', replayed_at = clock_timestamp()
where id = any (string_to_array($1::text, ',')::bigint[])

-- name: refuse_again
-- The bytes are the same, the rules are not.
update activity_dead_letters as letter set reason = again.reason
from jsonb_to_recordset($1::text::jsonb) as again (id bigint, reason text)
where letter.id = again.id and letter.reason <> again.reason
