-- Three audit triggers on each of 36 tables, the redundant ones, and those that are no audit.
do $$
declare
    audited record;
    operation text;
begin
    for audited in
        select * from (values
            ('users', 'audit_row', 'id'), ('user_profiles', 'audit_row', 'user_id'),
            ('user_settings', 'audit_row', 'user_id,name'), ('user_sessions', 'audit_system', 'id'),
            ('roles', 'audit_row', 'id'), ('user_roles', 'audit_row', 'user_id,role_id'),
            ('teams', 'audit_row', 'id'), ('team_members', 'audit_row', 'team_id,user_id'),
            ('api_keys', 'audit_row', 'id'), ('invitations', 'audit_row', 'id'),
            ('projects', 'audit_row', 'id'), ('project_members', 'audit_row', 'project_id,user_id'),
            ('milestones', 'audit_row', 'id'), ('tasks', 'audit_row', 'id'),
            ('task_comments', 'audit_row', 'id'), ('time_entries', 'audit_row', 'id'),
            ('folders', 'audit_file', 'id'), ('files', 'audit_file', 'id'),
            ('file_versions', 'audit_file', 'id'), ('file_shares', 'audit_file', 'file_id,user_id'),
            ('categories', 'audit_shop', 'id'), ('products', 'audit_shop', 'id'),
            ('stock', 'audit_shop', 'product_id'), ('carts', 'audit_shop', 'id'),
            ('cart_items', 'audit_shop', 'cart_id,product_id'), ('orders', 'audit_shop', 'id'),
            ('order_items', 'audit_shop', 'id'), ('payments', 'audit_shop', 'id'),
            ('refunds', 'audit_shop', 'id'), ('shipments', 'audit_shop', 'id'),
            ('coupons', 'audit_shop', 'code'), ('jobs', 'audit_system', 'id'),
            ('email_queue', 'audit_system', 'id'), ('webhooks', 'audit_system', 'id'),
            ('feature_flags', 'audit_system', 'name'), ('notifications', 'audit_system', 'id')
        ) as listed (table_name, function_name, key)
    loop
        foreach operation in array array['insert', 'update', 'delete'] loop
            execute format(
                'create trigger %I after %s on app.%I for each row execute function app.%I(%L)',
                format('audit_%s_%s', audited.table_name, operation), operation, audited.table_name,
                audited.function_name, audited.key
            );
        end loop;
    end loop;
    for audited in
        select * from (values
            ('users', 'id'), ('orders', 'id'), ('payments', 'id'), ('products', 'id'), ('projects', 'id'),
            ('tasks', 'id'), ('files', 'id'), ('team_members', 'team_id,user_id')
        ) as listed (table_name, key)
    loop
        execute format(
            'create trigger %I after insert or update or delete on app.%I for each row '
            'execute function app.track_change(%L)',
            'track_' || audited.table_name, audited.table_name, audited.key
        );
    end loop;
    for audited in select * from (values ('users'), ('orders'), ('payments')) as listed (table_name) loop
        execute format(
            'create trigger %I after update or delete on app.%I for each row execute function app.history_row(%L)',
            'history_' || audited.table_name, audited.table_name, 'id'
        );
    end loop;
    for audited in
        select * from (values
            ('users'), ('user_profiles'), ('projects'), ('tasks'), ('files'), ('products'), ('carts'), ('orders')
        ) as listed (table_name)
    loop
        execute format(
            'create trigger a_touch before update on app.%I for each row execute function app.touch()',
            audited.table_name
        );
    end loop;
end $$;

create trigger check_stock before insert or update of quantity on app.stock
    for each row execute function app.check_stock();
create trigger order_paid after update of status on app.orders
    for each row when (new.status = 'paid' and old.status is distinct from new.status)
    execute function app.order_paid();
create constraint trigger late_refund after insert on app.refunds deferrable initially deferred
    for each row execute function app.audit_shop('id');

comment on trigger audit_users_update on app.users is 'Asked for by compliance: it''s in ticket 4711';
comment on trigger track_orders on app.orders is 'Second opinion';
alter table app.payments enable always trigger audit_payments_update;
alter table app.products disable trigger track_products;
alter table app.files enable replica trigger track_files;
