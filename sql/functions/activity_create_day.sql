-- Makes the partition of a day and opens it; does nothing where the day is known.
create or replace function public.activity_create_day(new_day date)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    partition_name text := 'activity_logs_current_' || to_char(new_day, 'YYYYMMDD');
begin
    perform pg_advisory_xact_lock(hashtextextended('activity_create_day', 0));
    if exists (select from public.activity_days where day = new_day) then
        return;
    end if;
    execute format(
        'create table public.%I (like public.activity_logs_current including all)', partition_name
    );
    -- Attaching locks the parent less than "create table … partition of" does: inserts go on.
    execute format(
        'alter table public.activity_logs_current attach partition public.%I for values from (%L) to (%L)',
        partition_name,
        new_day::timestamp at time zone 'UTC',
        (new_day + 1)::timestamp at time zone 'UTC'
    );
    insert into public.activity_days (day, state) values (new_day, 'open');
end
$$;
comment on function public.activity_create_day(date) is 'Makes the partition of a day and opens it; does nothing where the day is known';
revoke all on function public.activity_create_day(date) from public;
