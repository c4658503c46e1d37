-- name: become_reader
-- No more than a reader may, where this user may take that role on.
select set_config('role', 'activity_reader', false)
where to_regrole('activity_reader') is not null and pg_has_role(session_user, 'activity_reader', 'member')
