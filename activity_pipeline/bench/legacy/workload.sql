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
-- A file with its first version.
with made as (
    insert into app.files (owner_id, name, size_bytes) values (%(user_id)s, %(name)s, %(size_bytes)s) returning id
)
insert into app.file_versions (file_id, number, sha256) select id, 1, md5(%(name)s) from made

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
