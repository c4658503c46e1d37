-- Content hash (events/content.py) of each day in each file of event_rows, with its rows and first and last timestamp.
with hashed as (
    select
        filename,
        epoch_us(timestamp) as us,
        sha256(
            id::blob
            || (epoch_us(timestamp) - 946684800000000)::bit::blob
            || (
                strlen(source)::bigint
                + (strlen(action)::bigint << 9)
                + (coalesce(strlen(entity_type) + 1, 0)::bigint << 19)
                + (coalesce(strlen(entity_id) + 1, 0)::bigint << 28)
                + (strlen(status)::bigint << 40)
                + ((user_id is not null)::bigint << 48)
            )::bit::blob
            || coalesce(user_id::blob, ''::blob)
            || encode(concat(source, action, entity_type, entity_id, status, metadata))
        ) as hash
    from event_rows
)
select
    filename,
    make_timestamp(us)::date as day,
    count(*),
    sum(('0x' || substr(hash, 1, 15))::bigint),
    sum(('0x' || substr(hash, 16, 15))::bigint),
    min(us),
    max(us)
from hashed
group by all
