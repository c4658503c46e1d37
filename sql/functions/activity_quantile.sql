-- A quantile out of calls by logarithmic bucket (operations/model.py), in seconds.
create or replace function public.activity_quantile(buckets bigint[], q double precision)
returns double precision
language sql
immutable strict parallel safe
set search_path = ''
as $$
    select 2 * power(10.0::double precision, (place - 121) / 24.0) / (power(10.0::double precision, 1 / 24.0) + 1)
    from (
        select place, sum(calls) over (order by place) as running, sum(calls) over () as total
        from unnest(buckets) with ordinality as counted (calls, place)
    ) as added
    where running >= greatest(ceil(q * total), 1)
    order by place
    limit 1
$$;
comment on function public.activity_quantile(bigint[], double precision) is 'A quantile out of calls by logarithmic bucket, in seconds';
