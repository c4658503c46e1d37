drop table activity_anomaly_mutes;
drop table activity_anomaly_acknowledgements;
delete from activity_anomalies_daily where kind in ('new_source', 'new_action');
alter table activity_anomalies_daily
    drop column revision,
    drop constraint activity_anomalies_daily_kind_check,
    add constraint activity_anomalies_daily_kind_check
        check (kind in ('spike', 'drop', 'failure_rate', 'silent_source'));
