-- name: last_manifest
-- The chain's head.
select sequence, name, sha256 from activity_manifests order by sequence desc limit 1

-- name: names
-- All that is known of the chain.
select name from activity_manifests

-- name: sha256
-- What a manifest must hash to.
select sha256 from activity_manifests where name = %(name)s

-- name: register
-- The chain as this database knows it.
insert into activity_manifests (
    sequence, name, sha256, operation, first_day, last_day, day_count, row_count, size_bytes, receipt
)
values (
    %(sequence)s, %(name)s, %(sha256)s, %(operation)s, %(first_day)s, %(last_day)s, %(day_count)s,
    %(row_count)s, %(size_bytes)s, %(receipt)s
)
on conflict (name) do nothing

-- name: mark_exported
-- The Parquet is published, Postgres still holds the rows.
update activity_days set
    state = 'exported',
    generation = %(generation)s,
    manifest = %(manifest)s,
    exported_rows = %(exported_rows)s,
    exported_hash = %(exported_hash)s,
    exported_versions = %(exported_versions)s,
    changed_at = clock_timestamp()
where day = %(day)s and state = 'frozen'

-- name: mark_replaced
-- The same day in other files. What was computed from a day that lost rows is out of date.
update activity_days set
    generation = %(generation)s,
    manifest = %(manifest)s,
    archived_rows = %(row_count)s,
    archived_bytes = %(size_bytes)s,
    revision = revision + case when %(erased_rows)s > 0 then 1 else 0 end,
    changed_at = clock_timestamp()
where day = %(day)s

-- name: count_erased
-- Stored once, and no more.
update activity_ledger set erased = erased + %(erased_rows)s where day = %(day)s

-- name: note_erased
-- The same by erasure, where this database knows it.
insert into activity_erased_rows (erasure, place, day, rows)
select id, 'archive', %(day)s, %(erased_rows)s from activity_erasures where receipt = %(receipt)s

-- name: compacted_within
-- Whether somebody may still read by the list of files that a compaction replaced.
select exists (
    select from activity_manifests
    where operation = 'compaction' and published_at > clock_timestamp() - make_interval(secs => %(seconds)s)
)

-- name: try_lock
-- The chain of manifests has one end, so there is one operation on it at a time.
select pg_try_advisory_lock(hashtextextended('activity_archive', 0))

-- name: unlock
-- Let the next operation begin.
select pg_advisory_unlock(hashtextextended('activity_archive', 0))
