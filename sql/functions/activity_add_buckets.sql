-- Adds two rows of counts, place by place.
create or replace function public.activity_add_buckets(counts bigint[], more bigint[])
returns bigint[]
language sql
immutable strict parallel safe
set search_path = ''
as $$
    select array_agg(coalesce(own, 0) + coalesce(added, 0) order by place)
    from unnest(counts, more) with ordinality as both_counts (own, added, place)
$$;
comment on function public.activity_add_buckets(bigint[], bigint[]) is 'Adds two rows of counts, place by place';
