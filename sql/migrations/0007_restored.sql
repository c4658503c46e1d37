-- Days that are back from Parquet for a while, and until when.
alter table activity_days
    add column restored_until timestamptz,
    add check (restored_until is null or generation > 0);
comment on column activity_days.restored_until is
    'Until when the day''s archived rows are in activity_logs_archive too; null where they are not. '
    'While it is set, that partition holds what the archive does';
