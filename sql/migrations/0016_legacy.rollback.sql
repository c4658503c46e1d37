drop table activity_legacy_coverage;
drop table activity_legacy_parity;
