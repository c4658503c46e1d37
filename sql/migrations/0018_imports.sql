-- Days of an old audit table that have become events.
create table activity_imports (
    table_name text not null,
    day date not null,
    rows bigint not null check (rows >= 0),
    events bigint not null check (events >= 0),
    dead_lettered bigint not null check (dead_lettered >= 0),
    fingerprint numeric not null,
    source_rows bigint check (source_rows = rows),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    verified_at timestamptz,
    primary key (table_name, day),
    check (rows = events + dead_lettered),
    check (finished_at is null or source_rows is not null)
);
comment on table activity_imports is 'Days of an old audit table that have become events: what was read, and what it came to';
comment on column activity_imports.table_name is 'The audit table, schema.table';
comment on column activity_imports.day is 'The UTC day';
comment on column activity_imports.rows is 'Rows read and stored so far; noted in the transaction that stores them';
comment on column activity_imports.events is 'Those of them that are events, stored now or before';
comment on column activity_imports.dead_lettered is 'Those that are none, kept as dead letters';
comment on column activity_imports.fingerprint is 'Sum of the hashes of the events that were made of the rows, modulo 2^120 (legacy/mapping/rows.py)';
comment on column activity_imports.source_rows is 'Rows that the audit table counted itself, once the day was read whole';
comment on column activity_imports.started_at is 'When the first rows were stored';
comment on column activity_imports.finished_at is 'When the last ones were';
comment on column activity_imports.verified_at is 'When the archive was read back and had the same events';
