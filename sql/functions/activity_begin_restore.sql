-- Makes the table that a day is restored into, activity_logs_restoring; false where the day is restored already.
create or replace function public.activity_begin_restore(restored_day date)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
    -- One at a time: the table has one name. Who was killed holds the lock until Postgres has noticed.
    perform pg_advisory_xact_lock(hashtextextended('activity_restore', 0));
    if exists (select from public.activity_days where day = restored_day and restored_until is not null) then
        return false;
    end if;
    -- What Postgres can tell from the check, it does not read the rows for when the table is attached.
    execute format(
        'create table public.activity_logs_restoring '
        '(like public.activity_logs_archive including constraints including defaults including comments, '
        'constraint activity_restored_day check (timestamp >= %L and timestamp < %L))',
        restored_day::timestamp at time zone 'UTC',
        (restored_day + 1)::timestamp at time zone 'UTC'
    );
    -- It belongs to whoever owns the schema, and the caller fills it.
    if to_regrole('activity_archiver') is not null then
        grant select, insert on public.activity_logs_restoring to activity_archiver;
    end if;
    return true;
end
$$;
comment on function public.activity_begin_restore(date) is
    'Makes the table that a day is restored into, activity_logs_restoring; false where the day is restored already';
revoke all on function public.activity_begin_restore(date) from public;
