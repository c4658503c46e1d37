-- Days that are open now get the index that later ones are made with (functions/activity_add_sketch.sql).
do $$
declare
    partition_name text;
begin
    for partition_name in
        select 'activity_logs_current_' || to_char(day, 'YYYYMMDD') from activity_days where state = 'open'
    loop
        execute format(
            'create index %I on %I using brin (user_id uuid_bloom_ops, entity_id text_bloom_ops, '
            'action text_bloom_ops, source text_bloom_ops, status text_bloom_ops) with (pages_per_range = 32)',
            partition_name || '_sketch',
            partition_name
        );
    end loop;
end
$$;
