-- Who may call the HTTP API, and as whom the parts of the pipeline connect.
create table activity_api_keys (
    prefix text primary key check (prefix ~ '^[0-9a-f]{12}$'),
    name text not null check (char_length(name) between 1 and 128),
    secret_sha256 bytea not null check (octet_length(secret_sha256) = 32),
    scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'write', 'admin']),
    sources text[] check (cardinality(sources) > 0),
    user_id uuid,
    requests_per_s double precision not null check (requests_per_s > 0 and requests_per_s <= 1000000),
    burst integer not null check (burst > 0),
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz check (expires_at > created_at),
    revoked_at timestamptz,
    last_used_at timestamptz
);
comment on table activity_api_keys is 'Keys of the HTTP API; revoked ones are kept';
comment on column activity_api_keys.prefix is 'Public part of the key, by which it is found and named in events and logs';
comment on column activity_api_keys.name is 'Whose it is, or what for';
comment on column activity_api_keys.secret_sha256 is
    'SHA-256 of the secret part, 256 random bits: nobody can try them out, so there is nothing for salt or a slow hash to slow down';
comment on column activity_api_keys.scopes is 'What it may: read, write, or admin, which is all of it';
comment on column activity_api_keys.sources is 'The only sources whose events it reads and writes; null for all';
comment on column activity_api_keys.user_id is 'The only user whose events it reads and writes; null for all';
comment on column activity_api_keys.requests_per_s is 'Requests a second that it may send for long, to each process of the API';
comment on column activity_api_keys.burst is 'Requests that it may send at once';
comment on column activity_api_keys.created_by is 'On whose word';
comment on column activity_api_keys.created_at is 'From when on';
comment on column activity_api_keys.expires_at is 'Until when; null for ever';
comment on column activity_api_keys.revoked_at is 'When it was taken back';
comment on column activity_api_keys.last_used_at is 'When it was last used, to about a minute';

-- Roles belong to the cluster, not to this database, and not everybody may make them: whoever may does it by hand then.
-- What they may do is said, each time anything is migrated, in activity_grant_roles.
do $$
declare
    missing text;
begin
    for missing in
        select name from unnest(array['activity_writer', 'activity_archiver', 'activity_reader']) as wanted (name)
        where to_regrole(name) is null
    loop
        execute format('create role %I nologin', missing);
    end loop;
    alter role activity_reader set default_transaction_read_only = on;
    alter role activity_reader set statement_timeout = '30s';
exception
    -- Another database of the cluster is being migrated by somebody else at this very moment.
    when insufficient_privilege or duplicate_object or unique_violation then
        raise notice 'the roles activity_writer, activity_archiver and activity_reader were not made: %', sqlerrm;
end
$$;
