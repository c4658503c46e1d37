-- The older release knows no expiry: restored days would stay for ever. They are copies.
do $$
declare
    partition_of_day regclass;
begin
    for partition_of_day in
        select inhrelid from pg_inherits where inhparent = 'activity_logs_archive'::regclass
    loop
        execute format('drop table %s', partition_of_day);
    end loop;
end
$$;
alter table activity_days drop column restored_until;
