-- name: root
-- Paths below are relative to the archive, wherever a copy of it lies: the variable activity_root says
-- where; without it the folder of activity.duckdb does, which DuckDB names its temporary folder after;
-- and for any other database it is the place that this script was published at.
create or replace macro activity_root() as coalesce(
    rtrim(getvariable('activity_root')::varchar, '/') || '/',
    case
        when regexp_full_match(current_setting('temp_directory'), '(.*[/\\])?activity\.duckdb\.tmp')
        then left(current_setting('temp_directory'), -length('activity.duckdb.tmp'))
    end,
    $root
);

-- name: of_a_day
-- Files of a single day: the path says which, so that a filter by date opens those of its days alone.
-- Not by hive partitions: a copy in a folder of its own, say backup/date=2026-11-01, would be misread.
select
    id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata,
    cast(split_part(filename, 'events/date=', -1)[:10] as date) as date
from read_parquet(
    list_transform($files, lambda file: activity_root() || file), filename = true, hive_partitioning = false
)

-- name: of_a_year
-- Bounds for a filter by timestamp, so that it opens a year's files and no more.
where timestamp >= timestamptz '$first 00:00:00+00' and timestamp < timestamptz '$end 00:00:00+00'

-- name: packed
-- Files of many days keep the day of each row.
select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata, date
from read_parquet(list_transform($files, lambda file: activity_root() || file), hive_partitioning = false)

-- name: activity_logs
-- Cold events.
create or replace view activity_logs as
$branches;

-- name: result
-- A table computed from events.
create or replace view "$table" as
select *
from read_parquet(list_transform($files, lambda file: activity_root() || file), hive_partitioning = false);

-- name: activity_archive_days
-- One literal of JSON, because three thousand rows of values cost each query a tenth of a second.
create or replace view activity_archive_days as
select unnest(
    from_json(
        $days,
        '[{"day": "DATE", "generation": "BIGINT", "rows": "BIGINT", "bytes": "BIGINT", "files": "BIGINT", "first_at": "TIMESTAMPTZ", "last_at": "TIMESTAMPTZ"}]'
    ),
    recursive := true
);

-- name: comments
-- What the tables in Postgres do not say already.
comment on view activity_logs is 'Cold events: those that have left Postgres for Parquet. Filter by date where you can: then other days'' files are not even opened';
comment on column activity_logs.date is 'The UTC day of timestamp';
comment on view activity_archive_days is 'The archived days, as their newest manifests describe them';
comment on column activity_archive_days.day is 'The UTC day';
comment on column activity_archive_days.generation is 'How often the day was published: exports of late events, compactions and erasures each add one';
comment on column activity_archive_days.rows is 'Its events';
comment on column activity_archive_days.bytes is 'Its share of the size of its Parquet files, bytes';
comment on column activity_archive_days.files is 'Parquet files that it lies in; one file may hold several thin days';
comment on column activity_archive_days.first_at is 'Its first event';
comment on column activity_archive_days.last_at is 'Its last event';
