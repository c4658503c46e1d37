-- What the old monitor page asks of the table, live, at every load.
create view app.activity_by_day as
select date_trunc('day', created_at) as day, source, action, status, count(*) as events,
    count(distinct user_id) as users, count(distinct (entity_type, entity_id)) as entities
from app.audit_logs
group by 1, 2, 3, 4;

create view app.activity_by_hour as
select date_trunc('hour', created_at) as hour, table_name, operation, count(*) as events,
    avg(duration_ms) as mean_ms, percentile_cont(0.95) within group (order by duration_ms) as p95_ms
from app.audit_logs
group by 1, 2, 3;

create view app.busiest_users as
select a.user_id, u.name, u.email, count(*) as events, count(distinct a.session_id) as sessions,
    max(a.created_at) as last_at, jsonb_agg(distinct a.action) as actions
from app.audit_logs as a
left join app.users as u on u.id = a.user_id
where a.created_at > now() - interval '30 days'
group by 1, 2, 3;

create view app.changed_fields as
select table_name, field, count(*) as changes
from app.audit_logs, lateral unnest(changed_fields) as field
group by 1, 2;

create view app.activity_page as
select a.*, u.name as user_name, count(*) over () as total,
    lag(a.created_at) over (partition by a.table_name, a.record_id order by a.created_at) as previous_at
from app.audit_logs as a
left join app.users as u on u.id = a.user_id
order by a.created_at desc;
