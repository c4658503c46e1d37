-- The roles stay where another database of the cluster, or anybody who logs in as one, still needs them.
do $$
declare
    role_name text;
    relation regclass;
    routine regprocedure;
begin
    foreach role_name in array array['activity_writer', 'activity_archiver', 'activity_reader'] loop
        continue when to_regrole(role_name) is null;
        for relation in
            select c.oid from pg_class c, aclexplode(c.relacl) acl
            where c.relnamespace = 'public'::regnamespace and acl.grantee = to_regrole(role_name)
        loop
            execute format('revoke all on %s from %I', relation, role_name);
        end loop;
        for routine in
            select p.oid from pg_proc p, aclexplode(p.proacl) acl
            where p.pronamespace = 'public'::regnamespace and acl.grantee = to_regrole(role_name)
        loop
            execute format('revoke all on function %s from %I', routine, role_name);
        end loop;
        execute format('revoke all on schema public from %I', role_name);
        execute format('revoke all on database %I from %I', current_database(), role_name);
        begin
            execute format('drop role %I', role_name);
        exception when dependent_objects_still_exist or insufficient_privilege or object_in_use then
            null;
        end;
    end loop;
end
$$;
drop table activity_api_keys;
