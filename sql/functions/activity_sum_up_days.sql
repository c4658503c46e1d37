-- Has the sketches of open days know of the pages that were filled since the last time; returns how many
-- ranges of pages those were. A day that is being sealed is left alone.
create or replace function public.activity_sum_up_days()
returns bigint
language plpgsql
security definer
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
    sketch regclass;
    ranges bigint := 0;
begin
    for sketch in
        select to_regclass(format('public.activity_logs_current_%s_sketch', to_char(day, 'YYYYMMDD')))
        from public.activity_days where state = 'open' order by day desc limit 40
    loop
        begin
            ranges := ranges + coalesce(brin_summarize_new_values(sketch), 0);
        exception when lock_not_available or undefined_table or undefined_object then
            null;
        end;
    end loop;
    return ranges;
end
$$;
comment on function public.activity_sum_up_days() is 'Has the sketches of open days know of the pages that were filled since the last time';
revoke all on function public.activity_sum_up_days() from public;
