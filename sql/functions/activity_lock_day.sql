-- Closes the partition of a day on its way to the archive to writers, until the transaction ends.
create or replace function public.activity_lock_day(exported_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    execute format(
        'lock table public.%I in share row exclusive mode',
        'activity_logs_current_' || to_char(exported_day, 'YYYYMMDD')
    );
end
$$;
comment on function public.activity_lock_day(date) is
    'Closes the partition of a day on its way to the archive to writers, until the transaction ends';
revoke all on function public.activity_lock_day(date) from public;
