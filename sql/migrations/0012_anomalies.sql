-- Anomalies of users and of single hours, and the generation that each was judged from.
alter table activity_anomalies_daily
    add column hour smallint check (hour between 0 and 23),
    add column user_id text not null default '',
    add column generation integer not null default 0 check (generation >= 0),
    drop constraint activity_anomalies_daily_kind_check,
    add constraint activity_anomalies_daily_kind_check check (
        kind in (
            'spike', 'drop', 'failure_rate', 'silent_source', 'new_source', 'new_action',
            'user_volume', 'user_failures', 'user_hours'
        )
    ),
    drop constraint activity_anomalies_daily_pkey,
    add primary key (date, kind, source, action, user_id);
create index activity_anomalies_daily_user on activity_anomalies_daily (user_id) where user_id <> '';
comment on column activity_anomalies_daily.kind is 'What is unusual: spike, drop, failure_rate, silent_source, new_source, new_action, user_volume, user_failures, user_hours';
comment on column activity_anomalies_daily.hour is 'The hour of the day, UTC, where the row is about one hour; null where it is about the day';
comment on column activity_anomalies_daily.source is 'The source of the series; empty where the row is about a user';
comment on column activity_anomalies_daily.action is 'The action of the series; empty for a whole source, and for a user';
comment on column activity_anomalies_daily.user_id is 'The user, as in activity_users_daily, where the row is about one; else empty';
comment on column activity_anomalies_daily.observed is 'What was seen: events, a share for failure_rate and user_failures, an hour of the day for user_hours';
comment on column activity_anomalies_daily.generation is 'The generation of the day''s metrics when it was judged; 0 before the first, and where the day has no events';

alter table activity_anomaly_acknowledgements
    add column user_id text not null default '',
    drop constraint activity_anomaly_acknowledgements_pkey,
    add primary key (date, kind, source, action, user_id);
comment on column activity_anomaly_acknowledgements.user_id is 'As in activity_anomalies_daily';

alter table activity_anomaly_mutes
    add column user_id text not null default '',
    drop constraint activity_anomaly_mutes_source_check,
    add constraint activity_anomaly_mutes_subject_check check ((source <> '') <> (user_id <> ''));
comment on column activity_anomaly_mutes.source is 'Those of this source; empty where they are those of a user';
comment on column activity_anomaly_mutes.user_id is 'Those of this user; empty where they are those of a source';

-- What was judged before has no users and hours: all days are judged again.
update activity_computed_days set anomalies_revision = null;
