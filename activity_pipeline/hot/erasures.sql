-- name: begin
-- Noted before anything is touched, so that a crash cannot hide it. A day that is just being restored is there
-- before it, and is erased from; the next restore finds this row.
insert into activity_erasures (id, kind, salt, subject_sha256, reason, requested_by, receipt)
select
    %(id)s::uuid, %(kind)s::text, %(salt)s::text, %(subject_sha256)s::text, %(reason)s::text,
    %(requested_by)s::text, %(receipt)s::text
from pg_advisory_xact_lock(hashtextextended('activity_restore', 0))
returning id, kind, salt, subject_sha256, reason, requested_by, requested_at, receipt, finished_at

-- name: list
-- All of them, or those that are not finished, oldest first.
select id, kind, salt, subject_sha256, reason, requested_by, requested_at, receipt, finished_at
from activity_erasures
where not %(unfinished)s::boolean or finished_at is null
order by requested_at

-- name: published
-- Those that are not finished though the archive is without their rows.
select id, kind, salt, subject_sha256, reason, requested_by, requested_at, receipt, finished_at
from activity_erasures e
where finished_at is null and exists (select from activity_manifests m where m.receipt = e.receipt)

-- name: counts
-- What it took.
select place, day, rows from activity_erased_rows where erasure = %(id)s order by place, day

-- name: totals
-- What each took, by place.
select erasure, place, sum(rows)::bigint from activity_erased_rows group by erasure, place

-- name: finish
-- Nothing is left to do.
update activity_erasures set finished_at = clock_timestamp() where id = %(id)s and finished_at is null
