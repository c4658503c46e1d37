-- Events that applications write in their own transactions, until the ingest has stored them.
create table activity_outbox (
    -- A key, although the drain could do without: logical replication refuses to delete from a table that has none.
    id bigint generated always as identity primary key,
    created_at timestamptz not null default clock_timestamp(),
    line text not null
)
-- Every row is deleted soon after it came: a share of the table's size would let autovacuum wait too long.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table activity_outbox is 'Events that exist if and only if the transaction that wrote them committed; the drain moves them away';
comment on column activity_outbox.id is 'Order of writing, with gaps; transactions commit in another order';
comment on column activity_outbox.created_at is 'When it was written; the timestamp of an event that has none';
comment on column activity_outbox.line is 'The event, one JSON object as in the queue';
