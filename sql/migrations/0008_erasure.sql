-- Who may not be erased and why, and what was erased: never whom, but for those who know it.
create table activity_legal_holds (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('user', 'entity', 'days')),
    user_id uuid,
    entity_type text,
    entity_id text,
    first_day date,
    last_day date,
    reason text not null check (reason <> ''),
    held_by text not null,
    held_since timestamptz not null default clock_timestamp(),
    removed_at timestamptz,
    removed_by text,
    removed_reason text check (removed_reason <> ''),
    check ((kind = 'user') = (user_id is not null)),
    check ((kind = 'entity') = (entity_type is not null) and (kind = 'entity') = (entity_id is not null)),
    check ((kind = 'days') = (first_day is not null) and (kind = 'days') = (last_day is not null)),
    check (first_day <= last_day),
    check ((removed_at is null) = (removed_by is null) and (removed_at is null) = (removed_reason is null))
);
comment on table activity_legal_holds is 'Legal holds: what an erasure must not touch; removed ones are kept';
comment on column activity_legal_holds.id is 'Order of adding';
comment on column activity_legal_holds.kind is 'What is held: a user''s events, an entity''s, or all of some days';
comment on column activity_legal_holds.user_id is 'The user';
comment on column activity_legal_holds.entity_type is 'Kind of the entity';
comment on column activity_legal_holds.entity_id is 'The entity';
comment on column activity_legal_holds.first_day is 'The first UTC day';
comment on column activity_legal_holds.last_day is 'The last UTC day';
comment on column activity_legal_holds.reason is 'Why; whoever is refused an erasure reads it';
comment on column activity_legal_holds.held_by is 'Who says so';
comment on column activity_legal_holds.held_since is 'From when on';
comment on column activity_legal_holds.removed_at is 'Until when; null while it holds';
comment on column activity_legal_holds.removed_by is 'Who removed it';
comment on column activity_legal_holds.removed_reason is 'Why it was removed';

create table activity_erasures (
    id uuid primary key,
    kind text not null check (kind in ('user', 'entity')),
    salt text not null,
    subject_sha256 text not null,
    reason text not null,
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    receipt text not null unique,
    finished_at timestamptz
);
comment on table activity_erasures is 'Erasures, done or under way; the receipt in the archive says more';
comment on column activity_erasures.id is 'Part of the receipt''s name';
comment on column activity_erasures.kind is 'What was erased: a user''s events or an entity''s';
comment on column activity_erasures.salt is 'Goes into subject_sha256 before the subject, so that it cannot be looked up in a list of hashes';
comment on column activity_erasures.subject_sha256 is 'What whoever knows the subject can confirm it by (events/subject.py)';
comment on column activity_erasures.reason is 'Why';
comment on column activity_erasures.requested_by is 'On whose word';
comment on column activity_erasures.requested_at is 'When it was asked for';
comment on column activity_erasures.receipt is 'The receipt, a path below the archive''s root';
comment on column activity_erasures.finished_at is 'When nothing of it was left to do; null while the same command has to be run again';

create table activity_erased_rows (
    erasure uuid not null references activity_erasures (id),
    place text not null check (place in ('hot', 'late', 'archive', 'dead_letters', 'restored', 'replayed_letters')),
    day date not null,
    rows bigint not null check (rows > 0),
    primary key (erasure, place, day)
);
comment on table activity_erased_rows is 'What each erasure took, counted in the transaction that took it';
comment on column activity_erased_rows.erasure is 'The erasure';
comment on column activity_erased_rows.place is 'Where it was: restored rows and replayed letters were copies';
comment on column activity_erased_rows.day is 'The UTC day: of the event, or of arrival for dead letters';
comment on column activity_erased_rows.rows is 'Events';

alter table activity_manifests add column receipt text;
comment on column activity_manifests.receipt is 'Of an erasure: its receipt, a path below the archive''s root';
