drop table activity_computed_days;
drop table activity_anomalies_daily;
drop table activity_metrics_daily;
