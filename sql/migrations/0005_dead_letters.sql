-- What mending a dead letter needs, and what the share of dead letters is a share of.
alter table activity_dead_letters
    add column other_fields bytea,
    add column replayed_at timestamptz;
comment on column activity_dead_letters.other_fields is
    'Of an entry that could not be opened: its fields beside e, a MessagePack map of bytes to bytes';
comment on column activity_dead_letters.replayed_at is 'When its events were stored after all';

alter table activity_ledger add column arrived bigint not null default 0;
comment on column activity_ledger.arrived is 'Events that reached the queue on this day, whatever day they are of';
-- Older batches did not note it; for what is logged as it happens the two are the same.
update activity_ledger set arrived = received;
