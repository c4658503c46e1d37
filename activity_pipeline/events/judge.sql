-- Judges lines column-wise: one row per line, typed fields and a verdict (NULL = a good event).
-- DuckDB reads JSON leniently: `doubtful` good lines are read once more, strictly (judge.py).
-- Reads `lines(position, line, received_at, entry_id, line_number)`; parameters: see judge.py.
with looked_at as (
    select
        position,
        line,
        received_at,
        entry_id,
        line_number,
        json_valid(line) as is_json
    from lines
),
read as (
    select
        *,
        case when is_json then json_type(line, [
            '$', '$.id', '$.timestamp', '$.source', '$.action', '$.entity_type', '$.entityType',
            '$.entity_id', '$.entityId', '$.user_id', '$.userId', '$.status', '$.metadata', '$.details'
        ]) end as types,
        case when is_json then len(json_keys(line)) end as key_count,
        case when is_json then json_transform(line, '{
            "id": "VARCHAR", "timestamp": "VARCHAR", "source": "VARCHAR", "action": "VARCHAR",
            "entity_type": "VARCHAR", "entityType": "VARCHAR", "entity_id": "VARCHAR", "entityId": "VARCHAR",
            "user_id": "VARCHAR", "userId": "VARCHAR", "status": "VARCHAR",
            "metadata": "JSON", "details": "JSON"
        }') end as raw
    from looked_at
),
placed as (
    -- A UUIDv8 (RFC 9562, section 5.8) of the event's place in the queue.
    select
        *,
        case when raw.id is null and is_json then regexp_replace(
            md5(concat($shard, '/', entry_id, '/', line_number)),
            '^(.{12}).(.{3}).', '\18\28'
        )::uuid end as place_id
    from read
),
named as (
    select
        position,
        line,
        is_json,
        types,
        key_count,
        raw.id as id_text,
        raw.timestamp as timestamp_text,
        raw.source as source,
        raw.action as action,
        coalesce(raw.entity_type, raw."entityType") as entity_type,
        coalesce(raw.entity_id, raw."entityId") as entity_id,
        coalesce(raw.user_id, raw."userId") as user_id_text,
        coalesce(raw.status, $default_status) as status,
        case
            when types[13] = 'OBJECT' then raw.metadata::varchar
            when types[14] = 'OBJECT' then raw.details::varchar
        end as metadata,
        case when raw.id is null then place_id else try_cast(raw.id as uuid) end as id,
        case
            when raw.timestamp is null then received_at
            when regexp_full_match(
                raw.timestamp,
                '\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)'
            ) then try_cast(upper(raw.timestamp) as timestamptz)
        end as timestamp,
        try_cast(coalesce(raw.user_id, raw."userId") as uuid) as user_id
    from placed
)
select
    position,
    id,
    timestamp,
    source,
    action,
    entity_type,
    entity_id,
    user_id,
    status,
    metadata,
    case
        when not is_json then 'not_json'
        when types[1] <> 'OBJECT' then 'not_an_object'
        when key_count <> list_count(types) - 1 then
            case
                when list_has_all([
                    'id', 'timestamp', 'source', 'action', 'entity_type', 'entityType', 'entity_id',
                    'entityId', 'user_id', 'userId', 'status', 'metadata', 'details'
                ], json_keys(line)) then 'repeated_field'
                else 'unknown_field'
            end
        when (types[6] is not null and types[7] is not null)
            or (types[8] is not null and types[9] is not null)
            or (types[10] is not null and types[11] is not null)
            or (types[13] is not null and types[14] is not null) then 'repeated_field'
        -- Element by element: a lambda, or any function of the list, takes five times as long.
        when types[2] not in ('VARCHAR', 'NULL') or types[3] not in ('VARCHAR', 'NULL')
            or types[4] not in ('VARCHAR', 'NULL') or types[5] not in ('VARCHAR', 'NULL')
            or types[6] not in ('VARCHAR', 'NULL') or types[7] not in ('VARCHAR', 'NULL')
            or types[8] not in ('VARCHAR', 'NULL') or types[9] not in ('VARCHAR', 'NULL')
            or types[10] not in ('VARCHAR', 'NULL') or types[11] not in ('VARCHAR', 'NULL')
            or types[12] not in ('VARCHAR', 'NULL')
            or coalesce(types[13], types[14], 'NULL') not in ('OBJECT', 'NULL') then 'wrong_type'
        when source is null or action is null then 'missing_field'
        when id is null then 'bad_id'
        when timestamp is null then 'bad_timestamp'
        when user_id_text is not null and user_id is null then 'bad_user_id'
        when contains(concat(source, action, entity_type, entity_id, status), chr(0))
            or (contains(metadata, '\u0000') and regexp_matches(metadata, '(^|[^\\])(\\\\)*\\u0000'))
            then 'nul_character'
        when length(source) not between 1 and 64
            or length(action) not between 1 and 128
            or length(status) not between 1 and 32
            or length(entity_type) > 64
            or length(entity_id) > 512 then 'text_length'
        when len($allowed_sources) > 0 and not list_contains($allowed_sources, source) then 'not_allowed'
        when len($allowed_statuses) > 0 and not list_contains($allowed_statuses, status) then 'not_allowed'
        when timestamp > $latest then 'timestamp_ahead'
        when timestamp < $earliest then 'timestamp_too_old'
        when strlen(metadata) > $max_metadata_bytes then 'metadata_too_large'
    end as reason,
    -- A comma at the end of a list, and real numbers where DuckDB wrote the metadata anew: it rounds them.
    -- Metadata that stands in the line as DuckDB wrote it has neither, and is most often the line's end.
    reason is null and case
        when metadata is null or contains(line, metadata) then regexp_matches(line, ',[ \t\r\n]*\}[ \t\r\n]*$')
        else regexp_matches(line, ',[ \t\r\n]*[}\]]') or regexp_matches(metadata, '[0-9][.eE]')
    end as doubtful
from named
