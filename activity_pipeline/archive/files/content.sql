-- Content hash (events/content.py) of each day in each file of $files, with its rows and first and last timestamp.
with fields as (
    select
        filename,
        epoch_us(timestamp) as us,
        [
            id::varchar, epoch_us(timestamp)::varchar, source, action, entity_type, entity_id,
            user_id::varchar, status, metadata::varchar
        ] as texts
    from read_parquet($files, filename = true)
),
hashed as (
    select
        filename,
        us,
        sha256(concat(
            strlen(texts[1]) || ':' || texts[1],
            strlen(texts[2]) || ':' || texts[2],
            strlen(texts[3]) || ':' || texts[3],
            strlen(texts[4]) || ':' || texts[4],
            coalesce(strlen(texts[5]) || ':' || texts[5], '-'),
            coalesce(strlen(texts[6]) || ':' || texts[6], '-'),
            coalesce(strlen(texts[7]) || ':' || texts[7], '-'),
            strlen(texts[8]) || ':' || texts[8],
            coalesce(strlen(texts[9]) || ':' || texts[9], '-')
        )) as hash
    from fields
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
