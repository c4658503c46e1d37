-- Drops a restored day, in a lock as short as dropping takes.
create or replace function public.activity_drop_restored(restored_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    execute format('drop table if exists public.%I', 'activity_logs_archive_' || to_char(restored_day, 'YYYYMMDD'));
    update public.activity_days set restored_until = null, changed_at = clock_timestamp()
    where day = restored_day;
end
$$;
comment on function public.activity_drop_restored(date) is 'Drops a restored day';
revoke all on function public.activity_drop_restored(date) from public;
