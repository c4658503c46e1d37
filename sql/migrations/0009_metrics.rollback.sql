drop table activity_users_daily;
drop table activity_metrics_hourly;
alter table activity_metrics_daily drop column revision, drop column generation;
