-- name: session
-- Who works, as the triggers see it: for this transaction.
select
    set_config('app.user_id', %(user_id)s, true), set_config('app.session_id', %(session_id)s, true),
    set_config('app.request_id', %(request_id)s, true), set_config('app.ip', '192.0.2.7', true)

-- name: make_users
-- People.
insert into app.users (id, email, name)
select md5(%(seed)s || '/' || n)::uuid, 'user' || n || '@example.org', 'User ' || n
from generate_series(1, %(users)s) as n

-- name: make_products
-- What the shop sells.
with made as (
    insert into app.products (sku, title, price)
    select 'sku-' || n, 'Product ' || n, 5 + n %% 90 from generate_series(1, %(products)s) as n
    returning id
)
insert into app.stock (product_id, quantity) select id, 1000000 from made

-- name: make_projects
-- What they work on.
with made as (
    insert into app.projects (name) select 'Project ' || n from generate_series(1, %(projects)s) as n returning id
)
insert into app.tasks (project_id, title) select id, 'Task of ' || id from made

-- name: users
-- Everybody.
select id from app.users order by id

-- name: products
-- Everything.
select id, price from app.products order by id

-- name: tasks
-- All tasks.
select id from app.tasks order by id

-- name: place_order
-- An order.
insert into app.orders (user_id, total, address) values (%(user_id)s, %(total)s, %(address)s::jsonb) returning id

-- name: add_item
-- A line of it.
insert into app.order_items (order_id, product_id, quantity, price)
values (%(order_id)s, %(product_id)s, %(quantity)s, %(price)s)

-- name: take_stock
-- What is sold is gone.
update app.stock set quantity = quantity - %(quantity)s where product_id = %(product_id)s

-- name: pay
-- Money.
insert into app.payments (order_id, amount, state, reference) values (%(order_id)s, %(total)s, 'paid', %(reference)s)

-- name: mark_paid
-- And the order knows.
update app.orders set status = 'paid' where id = %(order_id)s

-- name: edit_user
-- Somebody changes their name.
update app.users set name = %(name)s where id = %(user_id)s

-- name: save_profile
-- Or says more of themselves.
insert into app.user_profiles (user_id, bio, city) values (%(user_id)s, %(text)s, 'Oslo')
on conflict (user_id) do update set bio = excluded.bio

-- name: edit_task
-- Work goes on.
update app.tasks set state = %(state)s, details = %(details)s::jsonb where id = %(task_id)s

-- name: comment
-- And is talked about.
insert into app.task_comments (task_id, user_id, body) values (%(task_id)s, %(user_id)s, %(text)s)

-- name: upload
-- A file.
insert into app.files (owner_id, name, size_bytes) values (%(user_id)s, %(name)s, %(size_bytes)s) returning id

-- name: add_version
-- And its first version.
insert into app.file_versions (file_id, number, sha256) values (%(file_id)s, 1, md5(%(name)s))

-- name: delete_comment
-- The last comment of somebody.
delete from app.task_comments
where id = (select max(id) from app.task_comments where user_id = %(user_id)s)

-- name: reprice
-- A bulk update: every so many products.
update app.products set price = price + 1 where id %% 10 = %(slice)s

-- name: queue_job
-- Machinery.
insert into app.jobs (kind, payload) values (%(kind)s, %(details)s::jsonb)

-- name: run_jobs
-- What is due is done.
update app.jobs set state = 'done', attempts = attempts + 1
where id in (select id from app.jobs where state = 'queued' order by id limit 5 for update skip locked)

-- name: oversell
-- What the stock refuses.
update app.stock set quantity = -1 where product_id = %(product_id)s

-- name: replicate
-- As a replication would, for this transaction: most triggers do not fire.
set local session_replication_role = replica

-- name: told
-- What a row was and is, for a service call: as Postgres 18 returns it with the change itself.
txid_current(), tableoid::regclass::text,
case when old.ctid is null then 'INSERT' when new.ctid is null then 'DELETE' else 'UPDATE' end,
case when old.ctid is not null then to_jsonb(old)::text end,
case when new.ctid is not null then to_jsonb(new)::text end

-- name: queued_mail
-- What the trigger on paid orders has queued.
select txid_current(), 'app.email_queue', 'INSERT', null, to_jsonb(queued)::text
from app.email_queue as queued
where id = currval(pg_get_serial_sequence('app.email_queue', 'id'))

-- name: told_take_stock
-- With what it was: of a row that it has waited for, Postgres 18.4 returns an older `old` than was there.
with locked as materialized (select * from app.stock where product_id = %(product_id)s for update)
update app.stock as s set quantity = s.quantity - %(quantity)s from locked where s.product_id = locked.product_id
returning txid_current(), 'app.stock', 'UPDATE', to_jsonb(locked)::text, to_jsonb(new)::text

-- name: told_edit_user
-- The same.
with locked as materialized (select * from app.users where id = %(user_id)s for no key update)
update app.users as u set name = %(name)s from locked where u.id = locked.id
returning txid_current(), 'app.users', 'UPDATE', to_jsonb(locked)::text, to_jsonb(new)::text

-- name: told_edit_task
-- The same.
with locked as materialized (select * from app.tasks where id = %(task_id)s for no key update)
update app.tasks as t set state = %(state)s, details = %(details)s::jsonb from locked where t.id = locked.id
returning txid_current(), 'app.tasks', 'UPDATE', to_jsonb(locked)::text, to_jsonb(new)::text

-- name: told_reprice
-- The same.
with locked as materialized (select * from app.products where id %% 10 = %(slice)s order by id for no key update)
update app.products as p set price = p.price + 1 from locked where p.id = locked.id
returning txid_current(), 'app.products', 'UPDATE', to_jsonb(locked)::text, to_jsonb(new)::text

-- name: lock_save_profile
-- The same, for what cannot be joined.
select from app.user_profiles where user_id = %(user_id)s for no key update
