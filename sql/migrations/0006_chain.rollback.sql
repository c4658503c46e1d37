-- Possible as long as nothing was compacted or erased: the older table knows one day a manifest.
alter table activity_manifests add column day date references activity_days (day), add column generation integer;
update activity_manifests
set day = first_day, generation = substring(name from '\.(\d+)\.json$')::integer
where day_count = 1;
alter table activity_manifests
    alter column day set not null,
    alter column generation set not null,
    add check (generation > 0),
    add unique (day, generation),
    drop column operation,
    drop column first_day,
    drop column last_day,
    drop column day_count;
comment on column activity_manifests.day is 'The day that it describes';
comment on column activity_manifests.generation is 'Its generation of that day, from 1';
alter table activity_days
    drop column manifest,
    drop column exported_rows,
    drop column exported_hash,
    drop column exported_versions;
