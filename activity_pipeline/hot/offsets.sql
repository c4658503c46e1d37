-- name: offsets
-- Every shard that was ever drained.
select shard, last_entry_id from queue_offsets order by shard

-- name: progress
-- When a drain last stored something, and what arrived today.
select
    (select max(updated_at) from queue_offsets) as last_drained_at,
    coalesce((select arrived from activity_ledger where day = %(today)s), 0)::bigint as arrived_today
