-- name: offsets
-- Every shard that was ever drained.
select shard, last_entry_id from queue_offsets order by shard
