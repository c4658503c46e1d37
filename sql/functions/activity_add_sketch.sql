-- Gives a table of an open day's events what is light enough to be kept on every insert: for each 32 pages a
-- Bloom filter of the values of five columns, a few bytes a row. It is drawn up by activity_sum_up_days.
create or replace function public.activity_add_sketch(day_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
begin
    execute format(
        'create index %I on %s using brin (user_id pg_catalog.uuid_bloom_ops, entity_id pg_catalog.text_bloom_ops, '
        'action pg_catalog.text_bloom_ops, source pg_catalog.text_bloom_ops, status pg_catalog.text_bloom_ops) '
        'with (pages_per_range = 32)',
        (select relname from pg_catalog.pg_class where oid = day_table) || '_sketch',
        day_table
    );
end
$$;
comment on function public.activity_add_sketch(regclass) is 'Gives a table of an open day''s events the one index that is light enough';
revoke all on function public.activity_add_sketch(regclass) from public;
