-- Drops the partition of an exported day; the gate before it is in hot/days.py.
create or replace function public.activity_drop_day(exported_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_current_' || to_char(exported_day, 'YYYYMMDD');
begin
    if not exists (
        select from public.activity_days where day = exported_day and state = 'exported' and late_cut is null
    ) then
        raise exception '% is not exported: its partition stays', exported_day;
    end if;
    execute format('alter table public.activity_logs_current detach partition public.%I', partition_name);
    execute format('drop table public.%I', partition_name);
end
$$;
comment on function public.activity_drop_day(date) is 'Drops the partition of an exported day';
revoke all on function public.activity_drop_day(date) from public;
