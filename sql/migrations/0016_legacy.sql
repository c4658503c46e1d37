-- The way off an application's audit triggers: what was compared, and what bypasses the service calls.
create table activity_legacy_parity (
    day date not null,
    table_name text not null,
    matched bigint not null check (matched >= 0),
    missing bigint not null check (missing >= 0),
    extra bigint not null check (extra >= 0),
    different bigint not null check (different >= 0),
    checked_at timestamptz not null default clock_timestamp(),
    primary key (day, table_name)
);
comment on table activity_legacy_parity is 'The rows that audit triggers wrote against the events of the same changes, by day and table';
comment on column activity_legacy_parity.day is 'The UTC day';
comment on column activity_legacy_parity.table_name is 'The application''s table, schema.table';
comment on column activity_legacy_parity.matched is 'Changes that both have, and agree on';
comment on column activity_legacy_parity.missing is 'Changes that a trigger saw and no event tells of';
comment on column activity_legacy_parity.extra is 'Events of changes that no trigger saw';
comment on column activity_legacy_parity.different is 'Changes that both have, with other values';
comment on column activity_legacy_parity.checked_at is 'When they were compared';

create table activity_legacy_coverage (
    table_name text not null,
    looked_at timestamptz not null,
    method text not null check (method in ('statistics', 'triggers')),
    since timestamptz not null check (since <= looked_at),
    counter bigint not null,
    changes bigint not null check (changes >= 0),
    events bigint check (events >= 0),
    primary key (table_name, looked_at)
);
comment on table activity_legacy_coverage is 'Changes of tables whose audit triggers are gone, and the events that tell of them';
comment on column activity_legacy_coverage.table_name is 'The application''s table, schema.table';
comment on column activity_legacy_coverage.looked_at is 'When its changes were counted';
comment on column activity_legacy_coverage.method is 'Who counts: statistics, with what was rolled back; or triggers, exactly';
comment on column activity_legacy_coverage.since is 'From when on they count';
comment on column activity_legacy_coverage.counter is 'What the application''s database said then; it may begin anew';
comment on column activity_legacy_coverage.changes is 'Rows inserted, updated and deleted from then on';
comment on column activity_legacy_coverage.events is 'Events of that time, counted once they have had time to arrive; null until then';
