-- Gives a table of one day's events the full set of indexes besides its primary key, bulk-built.
create or replace function public.activity_build_indexes(day_table regclass)
returns void
language plpgsql
set search_path = ''
as $$
declare
    definition text;
begin
    foreach definition in array array[
        '(source, action, timestamp)',
        '(entity_type, entity_id, timestamp)',
        '(user_id, timestamp)',
        '(status, timestamp)',
        'using gin (to_tsvector(''english'', action || '' '' || coalesce(metadata ->> ''description'', '''')))',
        'using gin (metadata jsonb_path_ops)'
    ] loop
        execute format('create index on %s %s', day_table, definition);
    end loop;
    execute format('analyze %s', day_table);
end
$$;
comment on function public.activity_build_indexes(regclass) is
    'Gives a table of one day''s events the full set of indexes besides its primary key';
