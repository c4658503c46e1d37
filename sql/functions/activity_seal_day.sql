-- Gives an open day the full set of indexes, bulk-built, and seals it. Rows still go in.
create or replace function public.activity_seal_day(sealed_day date)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_current_' || to_char(sealed_day, 'YYYYMMDD');
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
    perform public.activity_build_indexes(format('public.%I', partition_name)::regclass);
    return true;
end
$$;
comment on function public.activity_seal_day(date) is 'Gives an open day the full set of indexes and seals it; false where it was not open';
revoke all on function public.activity_seal_day(date) from public;
