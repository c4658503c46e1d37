-- Trigger functions as they grow over the years: each fills the columns that its author needed.
create function app.session_value(name text) returns text language sql stable as
$$ select nullif(current_setting('app.' || name, true), '') $$;

create function app.key_of(columns text, row_values jsonb) returns text language sql immutable as
$$ select string_agg(row_values ->> trim(name), ',' order by place)
   from unnest(string_to_array(columns, ',')) with ordinality as key (name, place) $$;

create function app.changed(old_values jsonb, new_values jsonb) returns text[] language sql immutable as
$$ select coalesce(array_agg(n.key order by n.key), '{}')
   from jsonb_each(new_values) as n where old_values -> n.key is distinct from n.value $$;

create function app.difference(old_values jsonb, new_values jsonb) returns jsonb language sql immutable as
$$ select coalesce(jsonb_object_agg(n.key, jsonb_build_array(old_values -> n.key, n.value)), '{}')
   from jsonb_each(new_values) as n where old_values -> n.key is distinct from n.value $$;

-- Accounts and projects: nearly every column.
create function app.audit_row() returns trigger language plpgsql as $$
declare
    started timestamptz := clock_timestamp();
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    key text := app.key_of(tg_argv[0], coalesce(after, before));
begin
    insert into app.audit_logs (
        table_schema, table_name, operation, record_id, user_id, session_id, request_id, old_values,
        new_values, changed_fields, diff, context, source, action, category, severity, status, ip_address,
        user_agent, application_name, client_addr, db_user, description, entity_type, entity_id, duration_ms,
        metadata
    ) values (
        tg_table_schema, tg_table_name, tg_op, key, app.session_value('user_id')::uuid,
        app.session_value('session_id'), app.session_value('request_id'), before, after,
        case when tg_op = 'UPDATE' then app.changed(before, after) end,
        case when tg_op = 'UPDATE' then app.difference(before, after) end,
        jsonb_build_object('query', left(current_query(), 500), 'backend', pg_backend_pid()),
        'database', lower(tg_table_name || '.' || tg_op), 'data', 'info', 'success',
        app.session_value('ip')::inet, app.session_value('user_agent'),
        current_setting('application_name'), host(inet_client_addr()), session_user,
        format('%s on %s %s', tg_op, tg_table_name, key), tg_table_name, key,
        extract(epoch from clock_timestamp() - started) * 1000, jsonb_build_object('trigger', tg_name)
    );
    return null;
end $$;

-- The shop: no session, no difference, but an order as the parent.
create function app.audit_shop() returns trigger language plpgsql as $$
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    both_values jsonb := coalesce(after, before);
begin
    insert into app.audit_logs (
        table_name, operation, record_id, user_id, old_values, new_values, source, action, category, status,
        entity_type, entity_id, parent_entity_type, parent_entity_id
    ) values (
        tg_table_name, tg_op, app.key_of(tg_argv[0], both_values), app.session_value('user_id')::uuid,
        before, after, 'shop', lower(tg_table_name || '.' || tg_op), 'shop', 'success', tg_table_name,
        app.key_of(tg_argv[0], both_values), case when both_values ? 'order_id' then 'orders' end,
        both_values ->> 'order_id'
    );
    return null;
end $$;

create function app.write_audit(
    table_name text, operation text, record_id text, old_values jsonb, new_values jsonb, category text
) returns void language sql as $$
    insert into app.audit_logs (
        table_name, operation, record_id, user_id, old_values, new_values, category, source, action
    ) values ($1, $2, $3, app.session_value('user_id')::uuid, $4, $5, $6, 'database', lower($1 || '.' || $2))
$$;

-- Files: through a function of their own.
create function app.audit_file() returns trigger language plpgsql as $$
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    perform app.write_audit(
        tg_table_name, tg_op, app.key_of(tg_argv[0], coalesce(after, before)), before, after, 'files'
    );
    return null;
end $$;

-- Machinery: the least.
create function app.audit_system() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into app.audit_logs (table_name, operation, record_id, old_values, source, action)
        values (tg_table_name, tg_op, app.key_of(tg_argv[0], to_jsonb(old)), to_jsonb(old), 'system', 'deleted');
    else
        insert into app.audit_logs (table_name, operation, record_id, new_values, source, action)
        values (tg_table_name, tg_op, app.key_of(tg_argv[0], to_jsonb(new)), to_jsonb(new), 'system', 'written');
    end if;
    return null;
end $$;

-- Somebody's second opinion: the same again (category `tracking`).
create function app.track_change() returns trigger language plpgsql as $$
begin
    perform app.write_audit(
        tg_table_name, tg_op, app.key_of(tg_argv[0], to_jsonb(coalesce(new, old))),
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end, 'tracking'
    );
    return null;
end $$;

-- And a third one, of a consultant, by dynamic SQL (category `history`).
create function app.history_row() returns trigger language plpgsql as $$
begin
    execute format(
        'insert into %I.%I (table_name, operation, record_id, old_values, category) values ($1, $2, $3, $4, $5)',
        tg_table_schema, 'audit' || '_' || 'logs'
    ) using tg_table_name, tg_op, app.key_of(tg_argv[0], to_jsonb(old)), to_jsonb(old), 'history';
    return null;
end $$;

-- What has nothing to do with auditing, and must survive.
create function app.touch() returns trigger language plpgsql as $$
begin
    new.updated_at := clock_timestamp();
    return new;
end $$;

create function app.check_stock() returns trigger language plpgsql as $$
begin
    if new.quantity < 0 then
        raise exception 'product % is sold out', new.product_id using errcode = 'check_violation';
    end if;
    return new; -- not an audit: no insert into app.audit_logs here
end $$;

-- Business and audit in one: it may not be dropped as it is.
create function app.order_paid() returns trigger language plpgsql as $$
begin
    insert into app.email_queue (recipient, template)
    select email, 'order_paid' from app.users where id = new.user_id;
    insert into app.audit_logs (table_name, operation, record_id, category, description)
    values ('orders', 'UPDATE', new.id::text, 'mail', 'order paid, mail queued');
    return null;
end $$;
