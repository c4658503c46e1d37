-- Where events live in Postgres: the hot days, the late ones, the days restored from Parquet.
create domain activity_source as text check (char_length(value) between 1 and 64);
comment on domain activity_source is 'The system that an event comes from, as it names itself';

create domain activity_status as text check (char_length(value) between 1 and 32);
comment on domain activity_status is 'How an action ended, in the source''s own words; success unless it says otherwise';

create table activity_logs_current (
    id uuid not null,
    timestamp timestamptz not null,
    source activity_source not null,
    action text not null check (char_length(action) between 1 and 128),
    entity_type text check (char_length(entity_type) <= 64),
    entity_id text check (char_length(entity_id) <= 512),
    user_id uuid,
    status activity_status not null default 'success',
    metadata jsonb check (jsonb_typeof(metadata) = 'object'),
    primary key (timestamp, id)
) partition by range (timestamp);
comment on table activity_logs_current is 'Hot events: one partition a UTC day, made by activity_create_day; no default partition';
comment on column activity_logs_current.id is 'UUIDv7 of the producer; the same id with the same timestamp is the same event';
comment on column activity_logs_current.timestamp is 'When it happened, to the microsecond';
comment on column activity_logs_current.source is 'The system that it happened in';
comment on column activity_logs_current.action is 'What happened';
comment on column activity_logs_current.entity_type is 'Kind of thing it happened to';
comment on column activity_logs_current.entity_id is 'Which thing it happened to';
comment on column activity_logs_current.user_id is 'Who did it; absent for systems';
comment on column activity_logs_current.status is 'How it ended';
comment on column activity_logs_current.metadata is 'Anything else, a JSON object';

create table activity_logs_late (
    like activity_logs_current including constraints including defaults,
    arrived bigint generated always as identity,
    primary key (timestamp, id)
);
comment on table activity_logs_late is 'Events of days that have left the hot window; the archive merges them into their day as its next generation';
comment on column activity_logs_late.id is 'As in activity_logs_current';
comment on column activity_logs_late.timestamp is 'As in activity_logs_current';
comment on column activity_logs_late.source is 'As in activity_logs_current';
comment on column activity_logs_late.action is 'As in activity_logs_current';
comment on column activity_logs_late.entity_type is 'As in activity_logs_current';
comment on column activity_logs_late.entity_id is 'As in activity_logs_current';
comment on column activity_logs_late.user_id is 'As in activity_logs_current';
comment on column activity_logs_late.status is 'As in activity_logs_current';
comment on column activity_logs_late.metadata is 'As in activity_logs_current';
comment on column activity_logs_late.arrived is 'Order of arrival; an archive generation takes all rows up to a cut';

create table activity_logs_archive (
    like activity_logs_current including constraints including defaults,
    primary key (timestamp, id)
) partition by range (timestamp);
comment on table activity_logs_archive is 'Days restored from Parquet on request, for a limited time; never the only copy';
comment on column activity_logs_archive.id is 'As in activity_logs_current';
comment on column activity_logs_archive.timestamp is 'As in activity_logs_current';
comment on column activity_logs_archive.source is 'As in activity_logs_current';
comment on column activity_logs_archive.action is 'As in activity_logs_current';
comment on column activity_logs_archive.entity_type is 'As in activity_logs_current';
comment on column activity_logs_archive.entity_id is 'As in activity_logs_current';
comment on column activity_logs_archive.user_id is 'As in activity_logs_current';
comment on column activity_logs_archive.status is 'As in activity_logs_current';
comment on column activity_logs_archive.metadata is 'As in activity_logs_current';

create view activity_logs as
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs_current
union all
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs_late
union all
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata
from activity_logs_archive;
comment on view activity_logs is 'Every event that Postgres holds: hot, late and restored';
comment on column activity_logs.id is 'As in activity_logs_current';
comment on column activity_logs.timestamp is 'As in activity_logs_current';
comment on column activity_logs.source is 'As in activity_logs_current';
comment on column activity_logs.action is 'As in activity_logs_current';
comment on column activity_logs.entity_type is 'As in activity_logs_current';
comment on column activity_logs.entity_id is 'As in activity_logs_current';
comment on column activity_logs.user_id is 'As in activity_logs_current';
comment on column activity_logs.status is 'As in activity_logs_current';
comment on column activity_logs.metadata is 'As in activity_logs_current';

create table activity_days (
    day date primary key,
    state text not null check (state in ('open', 'sealed', 'frozen', 'exported', 'archived', 'reopened')),
    revision bigint not null default 0 check (revision >= 0),
    generation integer not null default 0 check (generation >= 0),
    late_cut bigint,
    archived_rows bigint not null default 0 check (archived_rows >= 0),
    archived_bytes bigint not null default 0 check (archived_bytes >= 0),
    changed_at timestamptz not null default now()
);
comment on table activity_days is 'The life of each day: open, sealed, frozen, exported, archived; reopened by late events';
comment on column activity_days.day is 'The UTC day';
comment on column activity_days.state is
    'open and sealed take events in activity_logs_current; from frozen on they are late. '
    'exported: the Parquet is published, Postgres still holds the rows. reopened: late events wait for the next generation';
comment on column activity_days.revision is 'Grows with every change of the day''s events; what is computed from the day notes it';
comment on column activity_days.generation is 'Newest published archive generation, 0 for none';
comment on column activity_days.late_cut is 'While frozen or exported from activity_logs_late: the last arrived value that belongs to the generation';
comment on column activity_days.archived_rows is 'Rows that live in Parquet alone';
comment on column activity_days.archived_bytes is 'Size of the day''s Parquet files, bytes';
comment on column activity_days.changed_at is 'When this row last changed';
