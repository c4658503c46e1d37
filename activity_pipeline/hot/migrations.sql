-- name: lock
-- One migration at a time, whoever starts it.
select pg_advisory_xact_lock(hashtextextended('activity_migrations', 0))

-- name: create_table
-- What ran here.
create table if not exists activity_migrations (
    version integer primary key, name text not null, sha256 text not null,
    applied_at timestamptz not null default now()
);
comment on table activity_migrations is 'The steps of the schema that ran here';
comment on column activity_migrations.version is 'Number of the step';
comment on column activity_migrations.name is 'Name of its file';
comment on column activity_migrations.sha256 is 'Hash of its file; another one means that it was changed after it ran';
comment on column activity_migrations.applied_at is 'When it ran'

-- name: exists
-- Whether anything ever ran here.
select to_regclass('activity_migrations') is not null

-- name: list
-- Steps that ran.
select version, name, sha256 from activity_migrations order by version

-- name: remember
-- A step forward.
insert into activity_migrations (version, name, sha256) values (%(version)s, %(name)s, %(sha256)s)

-- name: forget
-- A step back.
delete from activity_migrations where version = %(version)s and name = %(name)s and sha256 = %(sha256)s

-- name: grant_roles
-- What each role may do.
select activity_grant_roles()
