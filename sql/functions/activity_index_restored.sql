-- Gives activity_logs_restoring the name that a day's partition has, its primary key and all indexes.
create or replace function public.activity_index_restored(restored_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_archive_' || to_char(restored_day, 'YYYYMMDD');
begin
    -- Named first: indexes are called after their table.
    execute format('alter table public.activity_logs_restoring rename to %I', partition_name);
    execute format('alter table public.%I add primary key (timestamp, id)', partition_name);
    perform public.activity_build_indexes(format('public.%I', partition_name)::regclass);
end
$$;
comment on function public.activity_index_restored(date) is
    'Gives activity_logs_restoring the name that a day''s partition has, its primary key and all indexes';
revoke all on function public.activity_index_restored(date) from public;
