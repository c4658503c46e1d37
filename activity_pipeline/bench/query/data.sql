-- name: create_day
-- A day with a partition.
select activity_create_day(%(day)s)

-- name: fill
-- Events over a part of time: few users and things have many, most have few.
insert into activity_logs_current
    (id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
select
    uuidv7(made.at - clock_timestamp()),
    made.at,
    (array['shop', 'billing', 'auth', 'search', 'mail'])[1 + n %% 5],
    (array['order.paid', 'order.sent', 'cart.add', 'login', 'page.view', 'mail.sent', 'refund'])[
        1 + floor(random() * random() * 7)::int
    ],
    case when n %% 5 = 0 then 'order' else 'product' end,
    (random() * random() * %(things)s)::int::text,
    lpad(to_hex((random() * random() * %(users)s)::int), 32, '0')::uuid,
    case when random() < 0.02 then 'failed' else 'success' end,
    jsonb_build_object(
        'ip', '10.' || (random() * 255)::int || '.' || (random() * 255)::int || '.' || (random() * 255)::int,
        'description', 'customer bought item ' || (random() * 20000)::int || ' by card',
        'request_id', lpad(to_hex((random() * 4294967295)::bigint), 8, '0'),
        'duration_ms', (random() * 500)::int
    )
from generate_series(1, %(rows)s) as n
cross join lateral (
    select %(since)s::timestamptz + (%(until)s::timestamptz - %(since)s::timestamptz) * (n - 0.5) / %(rows)s as at
) as made

-- name: settle
-- As autovacuum leaves a table.
vacuum (analyze) activity_logs_current

-- name: legacy_table
-- What is replaced: 33 columns, of which JSONB five.
create table legacy_audit_logs (
    id bigint primary key generated always as identity, created_at timestamptz not null, table_schema text,
    table_name text, operation text, record_id text, user_id uuid, session_id text, request_id text,
    transaction_id bigint, old_values jsonb, new_values jsonb, changed_fields text[], diff jsonb, context jsonb,
    source text, action text, category text, severity text, status text, ip_address inet, user_agent text,
    application_name text, client_addr text, db_user text, description text, entity_type text, entity_id text,
    parent_entity_type text, parent_entity_id text, tenant_id uuid, duration_ms double precision, metadata jsonb
)

-- name: legacy_fill
-- The same events there.
insert into legacy_audit_logs (
    created_at, table_schema, table_name, operation, record_id, user_id, request_id, transaction_id, new_values,
    changed_fields, context, source, action, category, severity, status, ip_address, user_agent, description,
    entity_type, entity_id, duration_ms, metadata
)
select
    timestamp, 'app', entity_type, 'UPDATE', entity_id, user_id, metadata ->> 'request_id', 1, metadata,
    array['status', 'updated_at'], metadata, source, action, 'data', 'info', status, (metadata ->> 'ip')::inet,
    'Mozilla/5.0 (X11; Linux x86_64)', metadata ->> 'description', entity_type, entity_id,
    (metadata ->> 'duration_ms')::float, metadata
from activity_logs_current
where timestamp >= %(since)s

-- name: legacy_indexes
-- The indexes that it came with.
create index on legacy_audit_logs (created_at);
create index on legacy_audit_logs (table_name, created_at);
create index on legacy_audit_logs (operation);
create index on legacy_audit_logs (table_name, record_id);
create index on legacy_audit_logs (user_id, created_at);
create index on legacy_audit_logs (session_id);
create index on legacy_audit_logs (request_id);
create index on legacy_audit_logs (transaction_id);
create index on legacy_audit_logs (source, action);
create index on legacy_audit_logs (category, severity);
create index on legacy_audit_logs (entity_type, entity_id);
create index on legacy_audit_logs (parent_entity_type, parent_entity_id);
create index on legacy_audit_logs (status, created_at);
create index on legacy_audit_logs using gin (new_values);
create index on legacy_audit_logs using gin (context jsonb_path_ops);
create index on legacy_audit_logs using gin (
    to_tsvector('english', coalesce(action, '') || ' ' || coalesce(description, ''))
);
analyze legacy_audit_logs

-- name: legacy_page
-- A page as it was asked for: everything, newest first, with OFFSET.
select * from legacy_audit_logs
where created_at >= %(since)s
    and (%(source)s::text is null or source = %(source)s)
    and (%(action)s::text is null or action = %(action)s)
    and (%(status)s::text is null or status = %(status)s)
    and (%(entity_id)s::text is null or entity_id = %(entity_id)s)
    and (%(user)s::uuid is null or user_id = %(user)s)
    and (%(text)s::text is null or to_tsvector('english', coalesce(action, '') || ' ' || coalesce(description, ''))
        @@ plainto_tsquery('english', %(text)s))
    and (%(metadata)s::jsonb is null or context @> %(metadata)s::jsonb)
order by created_at desc
limit 50 offset %(offset)s

-- name: samples
-- Values that events have, to ask for.
select user_id, entity_type, entity_id, metadata ->> 'ip', split_part(metadata ->> 'description', ' ', 4)
from activity_logs_current
where timestamp >= %(since)s and timestamp < %(until)s
limit 400
