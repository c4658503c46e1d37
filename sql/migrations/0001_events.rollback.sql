drop table activity_days;
drop view activity_logs;
drop table activity_logs_archive;
drop table activity_logs_late;
drop table activity_logs_current;
drop domain activity_status;
drop domain activity_source;
