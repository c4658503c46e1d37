-- Says what each role may do, as far as the roles exist; called each time anything is migrated.
--
--     activity_writer      drain, drain --follow, dead-letters replay: queue to hot
--     activity_archiver    archive run, compact, restore, expire; seal, metrics, anomalies
--     activity_reader      the HTTP API and queries, analysts, ledger, doctor: read-only
--     the owner            migrate, archive erase and hold, keys
--
-- What needs a table of its own to be made, attached or dropped is in functions that run as the owner.
-- Partitions carry no grants: rows are reached through their parents.
create or replace function public.activity_grant_roles()
returns void
language plpgsql
set search_path = ''
as $$
declare
    entry record;
begin
    -- From the beginning each time, in one order, so that the outcome does not depend on what was before.
    for entry in
        select role_name, relname as relation
        from unnest(array['activity_writer', 'activity_archiver', 'activity_reader']) as role_name
        cross join pg_catalog.pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
            and (relname like 'activity\_%' or relname = 'queue_offsets') and to_regrole(role_name) is not null
    loop
        execute format('revoke all on public.%I from %I', entry.relation, entry.role_name);
    end loop;
    for entry in
        select role_name, relation, privileges
        from (values
            ('activity_writer', 'queue_offsets', 'select, insert, update'),
            ('activity_writer', 'activity_outbox', 'select, update, delete'),
            ('activity_writer', 'activity_days', 'select, insert, update'),
            ('activity_writer', 'activity_logs_current', 'select, insert'),
            ('activity_writer', 'activity_logs_late', 'select, insert'),
            ('activity_writer', 'activity_logs_archive', 'select'),
            ('activity_writer', 'activity_logs', 'select'),
            ('activity_writer', 'activity_dead_letters', 'select, insert, update'),
            ('activity_writer', 'activity_producers', 'select, insert, update'),
            ('activity_writer', 'activity_ledger', 'select, insert, update'),
            ('activity_writer', 'activity_manifests', 'select'),
            ('activity_writer', 'activity_migrations', 'select'),
            ('activity_writer', 'activity_operations', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_operations', 'select, insert, update, delete'),
            ('activity_writer', 'activity_operation_totals', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_operation_totals', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_alert_deliveries', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_legacy_parity', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_legacy_coverage', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_alerts', 'select, insert, update, delete'),
            ('activity_archiver', 'activity_anomaly_acknowledgements', 'select, insert, update'),
            ('activity_archiver', 'activity_anomaly_mutes', 'select, insert, update'),
            ('activity_archiver', 'queue_offsets', 'select'),
            ('activity_archiver', 'activity_outbox', 'select'),
            ('activity_archiver', 'activity_days', 'select, update'),
            ('activity_archiver', 'activity_logs_current', 'select'),
            ('activity_archiver', 'activity_logs_late', 'select, delete'),
            ('activity_archiver', 'activity_logs_archive', 'select, insert'),
            ('activity_archiver', 'activity_logs', 'select'),
            ('activity_archiver', 'activity_dead_letters', 'select'),
            ('activity_archiver', 'activity_producers', 'select'),
            ('activity_archiver', 'activity_ledger', 'select, update'),
            ('activity_archiver', 'activity_manifests', 'select, insert'),
            ('activity_archiver', 'activity_erasures', 'select, update'),
            ('activity_archiver', 'activity_erased_rows', 'select, insert'),
            ('activity_archiver', 'activity_legal_holds', 'select'),
            ('activity_archiver', 'activity_metrics_daily', 'select, insert, delete'),
            ('activity_archiver', 'activity_metrics_hourly', 'select, insert, delete'),
            ('activity_archiver', 'activity_users_daily', 'select, insert, delete'),
            ('activity_archiver', 'activity_anomalies_daily', 'select, insert, delete'),
            ('activity_archiver', 'activity_computed_days', 'select, insert, update'),
            ('activity_archiver', 'activity_migrations', 'select')
        ) as said (role_name, relation, privileges)
        where to_regrole(role_name) is not null and to_regclass('public.' || relation) is not null
    loop
        execute format('grant %s on public.%I to %I', entry.privileges, entry.relation, entry.role_name);
    end loop;
    for entry in
        select 'activity_reader' as role_name, relname as relation
        from pg_catalog.pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
            and (relname like 'activity\_%' or relname = 'queue_offsets')
            and to_regrole('activity_reader') is not null
        order by relname
    loop
        execute format('grant select on public.%I to %I', entry.relation, entry.role_name);
    end loop;
    for entry in
        select role_name, routine
        from (values
            ('activity_writer', 'public.activity_create_day(date)'),
            ('activity_archiver', 'public.activity_create_day(date)'),
            ('activity_archiver', 'public.activity_seal_day(date)'),
            ('activity_archiver', 'public.activity_lock_day(date)'),
            ('activity_archiver', 'public.activity_drop_day(date)'),
            ('activity_archiver', 'public.activity_begin_restore(date)'),
            ('activity_archiver', 'public.activity_index_restored(date)'),
            ('activity_archiver', 'public.activity_attach_restored(date)'),
            ('activity_archiver', 'public.activity_drop_restored(date)'),
            ('activity_reader', 'public.activity_note_key_use(text[])')
        ) as said (role_name, routine)
        where to_regrole(role_name) is not null
    loop
        execute format('grant execute on function %s to %I', entry.routine, entry.role_name);
    end loop;
    for entry in
        select role_name, role_name <> 'activity_reader' as makes_temporary_tables
        from unnest(array['activity_writer', 'activity_archiver', 'activity_reader']) as role_name
        where to_regrole(role_name) is not null
    loop
        execute format('grant usage on schema public to %I', entry.role_name);
        execute format('grant connect on database %I to %I', current_database(), entry.role_name);
        if entry.makes_temporary_tables then
            execute format('grant temporary on database %I to %I', current_database(), entry.role_name);
        end if;
    end loop;
end
$$;
comment on function public.activity_grant_roles() is 'Says what each role may do, as far as the roles exist';
revoke all on function public.activity_grant_roles() from public;
