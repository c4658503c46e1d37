delete from activity_anomaly_mutes where user_id <> '';
alter table activity_anomaly_mutes
    drop constraint activity_anomaly_mutes_subject_check,
    add constraint activity_anomaly_mutes_source_check check (source <> ''),
    drop column user_id;
comment on column activity_anomaly_mutes.source is 'Those of this source';

delete from activity_anomaly_acknowledgements where user_id <> '';
alter table activity_anomaly_acknowledgements
    drop constraint activity_anomaly_acknowledgements_pkey,
    drop column user_id,
    add primary key (date, kind, source, action);

delete from activity_anomalies_daily where user_id <> '' or hour is not null;
alter table activity_anomalies_daily
    drop constraint activity_anomalies_daily_pkey,
    drop column generation,
    drop column user_id,
    drop column hour,
    add primary key (date, kind, source, action),
    drop constraint activity_anomalies_daily_kind_check,
    add constraint activity_anomalies_daily_kind_check
        check (kind in ('spike', 'drop', 'failure_rate', 'silent_source', 'new_source', 'new_action'));
comment on column activity_anomalies_daily.kind is 'What is unusual: spike, drop, failure_rate, silent_source, new_source, new_action';
comment on column activity_anomalies_daily.source is 'The source of the series';
comment on column activity_anomalies_daily.action is 'The action of the series; empty for a whole source';
comment on column activity_anomalies_daily.observed is 'What was seen: events, or a share for failure_rate';
