-- name: prepare
-- Files never change, so what is at their ends is read once; ids are UUIDs to Arrow, too.
set global timezone = 'UTC';
set global parquet_metadata_cache = true;
set global arrow_lossless_conversion = true;

-- name: found
-- Events in files, of a window of time. More conditions may follow.
with found as (
    select *
    from read_parquet($files, hive_partitioning = false)
    where timestamp >= $since and timestamp < $until

-- name: rows
-- The first events of the window.
)
select
    id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::varchar as metadata
from found

-- name: newest
-- From the newest on.
order by timestamp desc, id desc

-- name: oldest
-- From the oldest on.
order by timestamp, id

-- name: limit
-- So many.
limit $limit

-- name: count
-- How many there are, up to a limit.
)
select count(*) from (select 1 from found limit $limit)

-- name: facets
-- How often the values of each field occur in the newest events that the limit allows.
)
select
    case
        when grouping(source) = 0 then 'source' when grouping(action) = 0 then 'action'
        when grouping(status) = 0 then 'status' when grouping(entity_type) = 0 then 'entity_type'
        when grouping(user_id) = 0 then 'user_id' else 'total'
    end as facet,
    coalesce(source, action, status, entity_type, user_id::varchar) as value,
    count(*)
from (
    select source, action, status, entity_type, user_id
    from found
    order by timestamp desc, id desc
    limit $limit
)
group by grouping sets ((source), (action), (status), (entity_type), (user_id), ())

-- name: days
-- A file of many days may hold some that are not asked for, or that Postgres has.
and list_contains($days, date)

-- name: before
-- What follows a key in the order of the newest.
and (timestamp < $at or id < $after_id)

-- name: after
-- What follows a key in the order of the oldest.
and (timestamp > $at or id > $after_id)

-- name: event_id
-- One event.
and id = $event_id

-- name: sources
-- Any of some sources.
and list_contains($sources, source)

-- name: source
-- One source: its statistics skip row groups.
and source = $source

-- name: actions
-- Any of some actions.
and list_contains($actions, action)

-- name: action
-- One action.
and action = $action

-- name: action_prefix
-- Actions that begin with a text.
and starts_with(action, $action_prefix)

-- name: statuses
-- Any of some statuses.
and list_contains($statuses, status)

-- name: status
-- One status.
and status = $status

-- name: entity_type
-- One kind of thing.
and entity_type = $entity_type

-- name: entity_id
-- One thing.
and entity_id = $entity_id

-- name: users
-- Any of some users.
and list_contains($users::uuid[], user_id)

-- name: user
-- One user.
and user_id = $user

-- name: metadata
-- Texts that it must have are found at once, and in what remains the exact answer by activity_contains.
and case
    when len(list_filter($marks::varchar[], lambda mark: not contains(metadata::varchar, mark))) = 0
    then activity_contains(metadata::varchar, $metadata)
    else false
end

-- name: text
-- The same: how words begin is found at once, and the exact answer by activity_matches.
and case
    when len(list_filter(
        $stems::varchar[],
        lambda stem: not contains(lower(action), stem)
            and not contains(lower(coalesce((metadata::json -> '$.description')::varchar, '')), stem)
    )) = 0
    then activity_matches(action, (metadata::json -> '$.description')::varchar, $question)
    else false
end
