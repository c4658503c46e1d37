-- What was done to an application's triggers, kept in its own database: written in the transaction that did it.
create schema activity_legacy;
comment on schema activity_legacy is 'activity_pipeline: the way off the audit triggers, and back';

create table activity_legacy.steps (
    id bigint primary key generated always as identity,
    at timestamptz not null default clock_timestamp(),
    transaction_id bigint not null default txid_current(),
    by_user text not null default session_user,
    action text not null check (action in ('drop', 'restore')),
    phase integer not null check (phase > 0),
    phase_name text not null,
    table_name text not null,
    trigger_name text not null,
    trigger jsonb not null,
    gate jsonb not null default '{}'
);
comment on table activity_legacy.steps is 'Triggers dropped and made again; the last step of each says how it is now';
comment on column activity_legacy.steps.id is 'Order of the steps';
comment on column activity_legacy.steps.at is 'When';
comment on column activity_legacy.steps.transaction_id is 'The transaction that did it';
comment on column activity_legacy.steps.by_user is 'Who was logged in';
comment on column activity_legacy.steps.action is 'drop or restore';
comment on column activity_legacy.steps.phase is 'Number of the phase';
comment on column activity_legacy.steps.phase_name is 'Name of the phase';
comment on column activity_legacy.steps.table_name is 'schema.table';
comment on column activity_legacy.steps.trigger_name is 'Name of the trigger';
comment on column activity_legacy.steps.trigger is 'All that is needed to make it again';
comment on column activity_legacy.steps.gate is 'What the parity was when it was dropped';

create function activity_legacy.uncount(counted regclass) returns void language plpgsql
set search_path = '' as $$
declare
    event text;
begin
    foreach event in array array['insert', 'update', 'delete'] loop
        if exists (
            select from pg_trigger where tgrelid = counted and tgname = 'activity_legacy_' || event
        ) then
            execute format('drop trigger %I on %s', 'activity_legacy_' || event, counted);
        end if;
    end loop;
    if to_regclass('activity_legacy.counted') is not null then
        delete from activity_legacy.counted where relation = counted;
    end if;
end $$;
comment on function activity_legacy.uncount(regclass) is 'No longer counts the changes of a table';
