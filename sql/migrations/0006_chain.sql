-- A manifest may be about many days at once, and an operation may replace files or take rows away.
alter table activity_days add column manifest text;
comment on column activity_days.manifest is 'Manifest that the newest generation is in, a path below the archive''s root';
update activity_days d set manifest = m.name from activity_manifests m where m.day = d.day and m.generation = d.generation;
alter table activity_days
    add column exported_rows bigint,
    add column exported_hash text,
    add column exported_versions text;
comment on column activity_days.exported_rows is 'While exported: rows of the generation that Postgres still holds';
comment on column activity_days.exported_hash is 'While exported: their content hash, which the Parquet has too';
comment on column activity_days.exported_versions is 'While exported: the row versions that were hashed';
alter table activity_days add check ((generation = 0) = (manifest is null));

alter table activity_manifests
    add column operation text not null default 'export' check (operation in ('export', 'compaction', 'erasure')),
    add column first_day date,
    add column last_day date,
    add column day_count integer not null default 1 check (day_count > 0);
update activity_manifests set first_day = day, last_day = day;
alter table activity_manifests
    alter column operation drop default,
    alter column first_day set not null,
    alter column last_day set not null,
    alter column day_count drop default,
    drop column day,
    drop column generation,
    add check (first_day <= last_day);
comment on column activity_manifests.operation is 'What was done: export, compaction or erasure';
comment on column activity_manifests.first_day is 'The first day that it describes';
comment on column activity_manifests.last_day is 'The last day that it describes';
comment on column activity_manifests.day_count is 'Days that it describes';
comment on column activity_manifests.row_count is 'Rows of those days in all their files';
comment on column activity_manifests.size_bytes is 'Their share of the size of those files, bytes';
