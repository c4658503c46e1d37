-- Gives an open day the full set of indexes, bulk-built, and seals it. Rows still go in.
create or replace function public.activity_seal_day(sealed_day date)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_current_' || to_char(sealed_day, 'YYYYMMDD');
    definition text;
begin
    if not exists (select from public.activity_days where day = sealed_day and state = 'open') then
        return false;
    end if;
    -- The partition before the row of the day: a batch that is stored locks them in that order.
    execute format('lock table public.%I in share mode', partition_name);
    update public.activity_days set state = 'sealed', changed_at = now()
    where day = sealed_day and state = 'open';
    if not found then
        return false;
    end if;
    foreach definition in array array[
        '(source, action, timestamp)',
        '(entity_type, entity_id, timestamp)',
        '(user_id, timestamp)',
        '(status, timestamp)',
        'using gin (to_tsvector(''english'', action || '' '' || coalesce(metadata ->> ''description'', '''')))',
        'using gin (metadata jsonb_path_ops)'
    ] loop
        execute format('create index on public.%I %s', partition_name, definition);
    end loop;
    execute format('analyze public.%I', partition_name);
    return true;
end
$$;
comment on function public.activity_seal_day(date) is 'Gives an open day the full set of indexes and seals it; false where it was not open';
