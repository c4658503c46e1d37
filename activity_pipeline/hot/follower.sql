-- name: hold
-- For as long as the session lives; several followers may.
select pg_advisory_lock_shared(hashtextextended('activity_follower', 0))

-- name: release
-- Before the session ends.
select pg_advisory_unlock_shared(hashtextextended('activity_follower', 0))

-- name: is_followed
-- Looks without taking the lock: a number of 64 bits is shown as its two halves.
select exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) | objid::bigint = hashtextextended('activity_follower', 0)
)

-- name: ping
-- Fails where the session is gone, and the lock with it.
select 1
