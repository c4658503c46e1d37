drop table activity_manifests;
drop table activity_ledger;
drop table activity_producers;
drop table activity_dead_letters;
drop table queue_offsets;
