-- name: days
-- Days from a first to a last one, as far as it matters where their events are.
select
    day, revision, generation - (state = 'exported')::integer as retired_generation, manifest,
    restored_until is not null as is_restored, state = 'open' as is_open
from activity_days
where day between %(first)s and %(last)s
order by day

-- name: keys
-- The page itself: what events are sorted by, of one table.
(
    select timestamp, id, {number} as place, 0 as count
    from {table}
    where timestamp >= %(since)s and timestamp < %(until)s {conditions}
    {order}
    limit {limit}
)

-- name: few_keys
-- The same for conditions that only a GIN index has, which knows no order: all of them, where they are few, and
-- how many they are.
(
    with found as materialized (
        select timestamp, id
        from {table}
        where timestamp >= %(since)s and timestamp < %(until)s {conditions}
        limit {few} + 1
    )
    select timestamp, id, {number} as place, (select count(*) from found) as count
    from found
    {order}
    limit {limit}
)

-- name: rows
-- What a page shows besides: looked up by primary key, one by one, once it is known which rows those are.
select e.*
from unnest(%(timestamps)b::timestamptz[], %(ids)b::uuid[]) as k (timestamp, id)
cross join lateral (
    select
        id, timestamp, source::text, action, entity_type, entity_id, user_id, status::text, metadata::text
    from {table}
    where timestamp = k.timestamp and id = k.id and timestamp >= %(since)s and timestamp <= %(until)s
    limit 1
) as e

-- name: count
-- How many there are, up to a limit.
select count(*) from (
    select from {table}
    where timestamp >= %(since)s and timestamp < %(until)s {conditions}
    limit %(limit)s
) as found

-- name: facets
-- How often the values of each field occur in the newest events that the limit allows.
select
    case
        when grouping(source) = 0 then 'source' when grouping(action) = 0 then 'action'
        when grouping(status) = 0 then 'status' when grouping(entity_type) = 0 then 'entity_type'
        when grouping(user_id) = 0 then 'user_id' else 'total'
    end as facet,
    coalesce(source::text, action, status::text, entity_type, user_id::text) as value,
    count(*)
from (
    select source, action, status, entity_type, user_id
    from {table}
    where timestamp >= %(since)s and timestamp < %(until)s {conditions}
    order by timestamp desc, id desc
    limit %(limit)s
) as newest
group by grouping sets ((source), (action), (status), (entity_type), (user_id), ())

-- name: newest
-- As the primary key lies, backwards.
order by timestamp desc, id desc

-- name: oldest
-- As the primary key lies.
order by timestamp, id

-- name: before
-- What follows a key in the order of the newest.
and (timestamp, id) < (%(at)s, %(after_id)s)

-- name: after
-- What follows a key in the order of the oldest.
and (timestamp, id) > (%(at)s, %(after_id)s)

-- name: event_id
-- One event.
and id = %(event_id)s

-- name: source
-- One source.
and source = %(source)s

-- name: sources
-- Any of some sources.
and source = any (%(sources)s::text[])

-- name: action
-- One action.
and action = %(action)s

-- name: actions
-- Any of some actions.
and action = any (%(actions)s::text[])

-- name: action_prefix
-- Actions between a prefix and what follows all that begin with it; by bytes, as an index in C collation lies.
and starts_with(action, %(action_prefix)s)

-- name: status
-- One status.
and status = %(status)s

-- name: statuses
-- Any of some statuses.
and status = any (%(statuses)s::text[])

-- name: entity_type
-- One kind of thing.
and entity_type = %(entity_type)s

-- name: entity_id
-- One thing.
and entity_id = %(entity_id)s

-- name: user
-- One user.
and user_id = %(user)s

-- name: users
-- Any of some users.
and user_id = any (%(users)s::uuid[])

-- name: text_beginnings
-- Where there is no index, how words begin rules out most rows in a fifth of the time (see query/reading.py).
and lower(action || ' ' || coalesce(metadata ->> 'description', '')) like all (array(
    select '%%' || regexp_replace(
        left(lexeme, case when length(lexeme) > 3 then length(lexeme) - 1 else 1 end), '([\\%%_])', '\\\1', 'g'
    ) || '%%'
    from unnest(tsvector_to_array(to_tsvector('english', %(text)s))) as lexeme
    order by length(lexeme) desc
))

-- name: text
-- All words of a text, as the index of a sealed day has them.
and to_tsvector('english', action || ' ' || coalesce(metadata ->> 'description', ''))
    @@ plainto_tsquery('english', %(text)s)

-- name: metadata
-- Metadata that contains other metadata.
and metadata @> %(metadata)s::jsonb

-- name: lexemes
-- The words of a text as the search has them.
select tsvector_to_array(to_tsvector('english', %(text)s))

-- name: texts_match
-- Whether texts have all words of another: of events that are not here, so that there is one way to tell.
select
    to_tsvector('english', t.action || ' ' || coalesce(t.description::jsonb #>> '{}', ''))
        @@ plainto_tsquery('english', %(text)s)
from unnest(%(actions)s::text[], %(descriptions)s::text[]) with ordinality as t (action, description, n)
order by t.n
