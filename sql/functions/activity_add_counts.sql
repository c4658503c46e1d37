-- Adds two JSON objects of counts, key by key.
create or replace function public.activity_add_counts(counts jsonb, more jsonb)
returns jsonb
language sql
immutable strict parallel safe
set search_path = ''
as $$
    select coalesce(jsonb_object_agg(key, total), '{}')
    from (
        select key, sum(value::bigint) as total
        from (select * from jsonb_each_text(counts) union all select * from jsonb_each_text(more)) as both_counts
        group by key
    ) as added
$$;
comment on function public.activity_add_counts(jsonb, jsonb) is 'Adds two JSON objects of counts, key by key';
