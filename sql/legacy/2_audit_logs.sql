-- The one table that all activity goes to: 33 columns, five of them JSONB, and an index for every wish.
create table app.audit_logs (
    id bigint primary key generated always as identity,
    created_at timestamptz not null default clock_timestamp(),
    table_schema text not null default 'app',
    table_name text not null,
    operation text not null check (operation in ('INSERT', 'UPDATE', 'DELETE')),
    record_id text,
    user_id uuid,
    session_id text,
    request_id text,
    transaction_id bigint not null default txid_current(),
    old_values jsonb,
    new_values jsonb,
    changed_fields text[],
    diff jsonb,
    context jsonb,
    source text,
    action text,
    category text,
    severity text,
    status text,
    ip_address inet,
    user_agent text,
    application_name text,
    client_addr text,
    db_user text,
    description text,
    entity_type text,
    entity_id text,
    parent_entity_type text,
    parent_entity_id text,
    tenant_id uuid,
    duration_ms double precision,
    metadata jsonb
);
create index audit_logs_created_at on app.audit_logs (created_at);
create index audit_logs_table on app.audit_logs (table_name, created_at);
create index audit_logs_operation on app.audit_logs (operation);
create index audit_logs_record on app.audit_logs (table_name, record_id);
create index audit_logs_user on app.audit_logs (user_id, created_at);
create index audit_logs_session on app.audit_logs (session_id);
create index audit_logs_request on app.audit_logs (request_id);
create index audit_logs_transaction on app.audit_logs (transaction_id);
create index audit_logs_source_action on app.audit_logs (source, action);
create index audit_logs_category on app.audit_logs (category, severity);
create index audit_logs_entity on app.audit_logs (entity_type, entity_id);
create index audit_logs_parent on app.audit_logs (parent_entity_type, parent_entity_id);
create index audit_logs_status on app.audit_logs (status, created_at);
create index audit_logs_old_values on app.audit_logs using gin (old_values);
create index audit_logs_new_values on app.audit_logs using gin (new_values);
create index audit_logs_diff on app.audit_logs using gin (diff);
create index audit_logs_context on app.audit_logs using gin (context jsonb_path_ops);
create index audit_logs_search on app.audit_logs
    using gin (to_tsvector('english', coalesce(action, '') || ' ' || coalesce(description, '')));
