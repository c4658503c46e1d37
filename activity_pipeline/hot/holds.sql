-- name: add
-- From now on.
insert into activity_legal_holds (
    kind, user_id, entity_type, entity_id, first_day, last_day, reason, held_by
)
values (
    %(kind)s, %(user_id)s, %(entity_type)s, %(entity_id)s, %(first_day)s, %(last_day)s, %(reason)s, %(held_by)s
)
returning
    id, kind, user_id, entity_type, entity_id, first_day, last_day, reason, held_by, held_since,
    removed_at, removed_by, removed_reason

-- name: remove
-- No longer in force, and kept.
update activity_legal_holds set
    removed_at = clock_timestamp(), removed_by = %(by)s, removed_reason = %(reason)s
where id = %(id)s and removed_at is null
returning
    id, kind, user_id, entity_type, entity_id, first_day, last_day, reason, held_by, held_since,
    removed_at, removed_by, removed_reason

-- name: list
-- Those in force, or all that ever were.
select
    id, kind, user_id, entity_type, entity_id, first_day, last_day, reason, held_by, held_since,
    removed_at, removed_by, removed_reason
from activity_legal_holds
where %(removed)s::boolean or removed_at is null
order by id

-- name: keep_still
-- Whoever adds or removes a hold waits for this transaction; readers do not.
lock table activity_legal_holds in share mode
