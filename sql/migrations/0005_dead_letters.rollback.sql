alter table activity_ledger drop column arrived;
alter table activity_dead_letters drop column replayed_at, drop column other_fields;
