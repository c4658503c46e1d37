-- Makes the table of a day that activity_index_restored left a partition of activity_logs_archive.
create or replace function public.activity_attach_restored(restored_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_archive_' || to_char(restored_day, 'YYYYMMDD');
begin
    execute format(
        'alter table public.activity_logs_archive attach partition public.%I for values from (%L) to (%L)',
        partition_name,
        restored_day::timestamp at time zone 'UTC',
        (restored_day + 1)::timestamp at time zone 'UTC'
    );
    execute format('alter table public.%I drop constraint activity_restored_day', partition_name);
end
$$;
comment on function public.activity_attach_restored(date) is
    'Makes the table of a day that activity_index_restored left a partition of activity_logs_archive';
revoke all on function public.activity_attach_restored(date) from public;
