-- SHA-256 of an event as it enters the content hash of a day (events/content.py).
-- Volatile, though it is not: whoever uses the hash twice wraps it in a subquery, which Postgres then
-- leaves as it is and computes it once. Not strict and without settings, so that Postgres inlines it.
create or replace function public.activity_event_hash(
    id uuid,
    at timestamptz,
    source text,
    action text,
    entity_type text,
    entity_id text,
    user_id uuid,
    status text,
    metadata jsonb
)
returns bytea
language sql
volatile parallel safe
as $$
    select sha256(
        uuid_send(id)
        || timestamptz_send(at)
        || int8send(
            octet_length(source)
            + (octet_length(action)::bigint << 9)
            + (coalesce(octet_length(entity_type) + 1, 0)::bigint << 19)
            + (coalesce(octet_length(entity_id) + 1, 0)::bigint << 28)
            + (octet_length(status)::bigint << 40)
            + ((user_id is not null)::integer::bigint << 48)
        )
        || coalesce(uuid_send(user_id), '')
        || convert_to(
            source || action || coalesce(entity_type, '') || coalesce(entity_id, '') || status
            || coalesce(metadata::text, ''),
            'UTF8'
        )
    )
$$;
comment on function public.activity_event_hash(uuid, timestamptz, text, text, text, text, uuid, text, jsonb)
    is 'SHA-256 of an event as it enters the content hash of a day';
