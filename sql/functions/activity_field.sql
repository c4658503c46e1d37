-- A field as it enters the content hash: its length in bytes, a colon, its text; "-" for null.
-- Not strict, without settings and of immutable parts only, so that Postgres inlines it.
create or replace function public.activity_field(value text)
returns text
language sql
immutable parallel safe
as $$ select coalesce(octet_length(value)::text || ':' || value, '-') $$;
comment on function public.activity_field(text) is 'A field as it enters the content hash of a day';
