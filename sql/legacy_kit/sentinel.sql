-- What counts the changes of tables without audit triggers: a row for each statement, none for a rolled-back one.
create table if not exists activity_legacy.changes (
    at timestamptz not null default clock_timestamp(),
    relation oid not null,
    rows bigint not null
);
comment on table activity_legacy.changes is 'Rows changed, by statement; added up and emptied by the sentinel';
comment on column activity_legacy.changes.at is 'When';
comment on column activity_legacy.changes.relation is 'The table';
comment on column activity_legacy.changes.rows is 'How many rows';

create table if not exists activity_legacy.counted (
    relation oid primary key,
    rows bigint not null
);
comment on table activity_legacy.counted is 'What was added up';
comment on column activity_legacy.counted.relation is 'The table';
comment on column activity_legacy.counted.rows is 'Rows changed since it is counted';

create or replace function activity_legacy.count_changes() returns trigger language plpgsql security definer
set search_path = '' as $$
declare
    changed bigint;
begin
    select count(*) into changed from affected;
    if changed > 0 then
        insert into activity_legacy.changes (relation, rows) values (tg_relid, changed);
    end if;
    return null;
end $$;
comment on function activity_legacy.count_changes() is 'Counts the rows of a statement';

create or replace function activity_legacy.count(counted regclass) returns void language plpgsql
set search_path = '' as $$
declare
    event text;
begin
    foreach event in array array['insert', 'update', 'delete'] loop
        if not exists (
            select from pg_trigger where tgrelid = counted and tgname = 'activity_legacy_' || event
        ) then
            execute format(
                'create trigger %I after %s on %s referencing %s table as affected '
                'for each statement execute function activity_legacy.count_changes()',
                'activity_legacy_' || event, event, counted, case event when 'delete' then 'old' else 'new' end
            );
        end if;
    end loop;
    insert into activity_legacy.counted (relation, rows) values (counted, 0) on conflict do nothing;
end $$;
comment on function activity_legacy.count(regclass) is 'Counts the changes of a table from now on';
