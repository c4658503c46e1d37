-- name: add
-- A new key.
insert into activity_api_keys (
    prefix, name, secret_sha256, scopes, sources, user_id, requests_per_s, burst, created_by, expires_at
)
values (
    %(prefix)s, %(name)s, %(secret_sha256)s, %(scopes)s, %(sources)s, %(user_id)s, %(requests_per_s)s, %(burst)s,
    %(created_by)s, %(expires_at)s
)
returning
    prefix, name, secret_sha256, scopes, sources, user_id, requests_per_s, burst, created_by, created_at, expires_at,
    revoked_at, last_used_at

-- name: list
-- Those that open something, or all that ever were.
select
    prefix, name, secret_sha256, scopes, sources, user_id, requests_per_s, burst, created_by, created_at, expires_at,
    revoked_at, last_used_at
from activity_api_keys
where %(ended)s::boolean or (revoked_at is null and (expires_at is null or expires_at > now()))
order by created_at, prefix

-- name: revoke
-- From now on; kept, because events name it.
update activity_api_keys set revoked_at = coalesce(revoked_at, clock_timestamp())
where prefix = %(prefix)s
returning
    prefix, name, secret_sha256, scopes, sources, user_id, requests_per_s, burst, created_by, created_at, expires_at,
    revoked_at, last_used_at

-- name: write
-- What a reader's transaction must say before it calls the one function that writes.
set transaction read write

-- name: note_use
-- They were used just now.
select activity_note_key_use(%(prefixes)s::text[])
