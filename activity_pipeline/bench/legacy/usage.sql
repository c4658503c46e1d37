-- name: pid
-- Where the cluster lies.
show data_directory

-- name: written
-- WAL made, and pages of tables and indexes written, in bytes, since the cluster was made.
select
    pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal_bytes,
    (select coalesce(sum(write_bytes), 0) from pg_stat_io where object in ('relation', 'temp relation')) as block_bytes

-- name: checkpoints
-- How many there were, as far as that is told.
select num_done from pg_stat_checkpointer

-- name: checkpoint
-- What is dirty is written now, and counts.
checkpoint
