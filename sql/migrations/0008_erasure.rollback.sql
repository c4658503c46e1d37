alter table activity_manifests drop column receipt;
drop table activity_erased_rows;
drop table activity_erasures;
drop table activity_legal_holds;
