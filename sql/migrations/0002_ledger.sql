-- What the sink knows of the queue, what it refused, and the ledger that proves nothing is missing.
create table queue_offsets (
    shard integer primary key check (shard >= 0),
    last_entry_id text not null check (last_entry_id ~ '^\d+-\d+$'),
    updated_at timestamptz not null default now()
);
comment on table queue_offsets is 'How far each stream is stored; moves in the transaction that stores the events';
comment on column queue_offsets.shard is 'Number of the stream activity:{shard}';
comment on column queue_offsets.last_entry_id is 'Id of the last stored stream entry';
comment on column queue_offsets.updated_at is 'When it last moved';

create table activity_dead_letters (
    id bigint generated always as identity primary key,
    received_at timestamptz not null,
    shard integer not null,
    entry_id text not null,
    line_number integer not null,
    producer_id text not null,
    reason text not null,
    line bytea not null,
    event_count integer not null default 1 check (event_count > 0),
    state text not null default 'open' check (state in ('open', 'replayed', 'erased')),
    unique (shard, entry_id, line_number)
);
comment on table activity_dead_letters is 'Events that were refused, with their bytes as they came';
comment on column activity_dead_letters.id is 'Order of refusal';
comment on column activity_dead_letters.received_at is 'When the queue took it';
comment on column activity_dead_letters.shard is 'Stream that it came through';
comment on column activity_dead_letters.entry_id is 'Stream entry that it came in';
comment on column activity_dead_letters.line_number is 'Line within the entry, from 0; -1 for an entry that could not be opened';
comment on column activity_dead_letters.producer_id is 'Who sent it; empty where it did not say';
comment on column activity_dead_letters.reason is 'Why: one of the closed set in events/model.py';
comment on column activity_dead_letters.line is 'Its bytes as they came';
comment on column activity_dead_letters.event_count is 'Events that it stands for: 1, or those of an unreadable frame';
comment on column activity_dead_letters.state is 'open, replayed (sent again after a mend) or erased';

create table activity_producers (
    producer_id text primary key,
    issued bigint not null default 0,
    sequences int8multirange not null default '{}',
    received bigint not null default 0,
    redelivered bigint not null default 0,
    inserted bigint not null default 0,
    duplicate bigint not null default 0,
    dead_lettered bigint not null default 0,
    dropped_sequences int8multirange not null default '{}',
    drop_reasons jsonb not null default '{}',
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now()
);
comment on table activity_producers is 'The ledger by producer: what each one issued by sequence number, and what became of it';
comment on column activity_producers.producer_id is 'One running logger; empty for entries without a producer, which have no sequence';
comment on column activity_producers.issued is 'Events issued: the highest sequence number seen, plus one';
comment on column activity_producers.sequences is 'Sequence numbers seen';
comment on column activity_producers.received is 'Events taken from the queue, redelivered ones included';
comment on column activity_producers.redelivered is 'Events whose sequence number had been seen before';
comment on column activity_producers.inserted is 'Events stored';
comment on column activity_producers.duplicate is 'Events already stored';
comment on column activity_producers.dead_lettered is 'Events refused';
comment on column activity_producers.dropped_sequences is 'Sequence numbers that the producer declared as dropped';
comment on column activity_producers.drop_reasons is 'The declared drops by reason';
comment on column activity_producers.first_seen is 'When its first frame was stored';
comment on column activity_producers.last_seen is 'When its last frame was stored';

create table activity_ledger (
    day date primary key,
    received bigint not null default 0,
    inserted bigint not null default 0,
    duplicate bigint not null default 0,
    dead_lettered bigint not null default 0,
    erased bigint not null default 0
);
comment on table activity_ledger is 'The ledger by day: of the event, or of arrival for those that were refused';
comment on column activity_ledger.day is 'The UTC day';
comment on column activity_ledger.received is 'Events taken from the queue';
comment on column activity_ledger.inserted is 'Events stored';
comment on column activity_ledger.duplicate is 'Events already stored';
comment on column activity_ledger.dead_lettered is 'Events refused';
comment on column activity_ledger.erased is 'Stored events that were erased on request';

create table activity_manifests (
    sequence bigint primary key check (sequence >= 0),
    day date not null references activity_days (day),
    generation integer not null check (generation > 0),
    name text not null unique,
    sha256 text not null,
    row_count bigint not null,
    size_bytes bigint not null,
    published_at timestamptz not null default now(),
    unique (day, generation)
);
comment on table activity_manifests is 'The chain of archive manifests as this database knows it; the archive itself is the truth';
comment on column activity_manifests.sequence is 'Place in the chain, from 0';
comment on column activity_manifests.day is 'The day that it describes';
comment on column activity_manifests.generation is 'Its generation of that day, from 1';
comment on column activity_manifests.name is 'Its path below the archive''s root';
comment on column activity_manifests.sha256 is 'Hash of its bytes; the next manifest repeats it';
comment on column activity_manifests.row_count is 'Rows of the day in all its files';
comment on column activity_manifests.size_bytes is 'Size of all its files, bytes';
comment on column activity_manifests.published_at is 'When it was registered here';
