do $$
declare
    sketch text;
begin
    for sketch in
        select 'activity_logs_current_' || to_char(day, 'YYYYMMDD') || '_sketch' from activity_days where state = 'open'
    loop
        execute format('drop index if exists %I', sketch);
    end loop;
end
$$;
