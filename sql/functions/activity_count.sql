-- How many numbers a set of ranges holds.
create or replace function public.activity_count(numbers int8multirange)
returns bigint
language sql
immutable strict parallel safe
set search_path = ''
as $$ select coalesce(sum(upper(part) - lower(part)), 0)::bigint from unnest(numbers) as part $$;
comment on function public.activity_count(int8multirange) is 'How many numbers a set of ranges holds';
