-- name: count
-- What Postgres holds of a subject, and by which hold it must stay. An exported generation counts where it is
-- going, in the archive.
with found as (
    select 'hot' as place, l.timestamp, l.user_id, l.entity_type, l.entity_id
    from activity_logs_current l
    where (l.user_id = %(user_id)s or (l.entity_type = %(entity_type)s and l.entity_id = %(entity_id)s))
        and (l.timestamp at time zone 'UTC')::date not in (
            select day from activity_days where state = 'exported' and late_cut is null
        )
    union all
    select 'late', l.timestamp, l.user_id, l.entity_type, l.entity_id
    from activity_logs_late l
    where (l.user_id = %(user_id)s or (l.entity_type = %(entity_type)s and l.entity_id = %(entity_id)s))
        and not exists (
            select from activity_days d
            where d.day = (l.timestamp at time zone 'UTC')::date and d.state = 'exported' and l.arrived <= d.late_cut
        )
    union all
    select 'restored', l.timestamp, l.user_id, l.entity_type, l.entity_id
    from activity_logs_archive l
    where l.user_id = %(user_id)s or (l.entity_type = %(entity_type)s and l.entity_id = %(entity_id)s)
)
select place, (timestamp at time zone 'UTC')::date as day, count(*) as rows, min(h.id) as hold
from found f
left join lateral (
    select min(id) as id from activity_legal_holds
    where removed_at is null and (
        user_id = f.user_id
        or (entity_type = f.entity_type and entity_id = f.entity_id)
        or (f.timestamp at time zone 'UTC')::date between first_day and last_day
    )
) h on true
group by 1, 2
order by 1, 2

-- name: erase
-- The same, and they are gone.
with hot as (
    delete from activity_logs_current
    where user_id = %(user_id)s or (entity_type = %(entity_type)s and entity_id = %(entity_id)s)
    returning timestamp, user_id, entity_type, entity_id
),
late as (
    delete from activity_logs_late
    where user_id = %(user_id)s or (entity_type = %(entity_type)s and entity_id = %(entity_id)s)
    returning timestamp, user_id, entity_type, entity_id
),
restored as (
    delete from activity_logs_archive
    where user_id = %(user_id)s or (entity_type = %(entity_type)s and entity_id = %(entity_id)s)
    returning timestamp, user_id, entity_type, entity_id
),
erased as (
    select 'hot' as place, * from hot
    union all
    select 'late', * from late
    union all
    select 'restored', * from restored
)
select place, (timestamp at time zone 'UTC')::date as day, count(*) as rows, min(h.id) as hold
from erased e
left join lateral (
    select min(id) as id from activity_legal_holds
    where removed_at is null and (
        user_id = e.user_id
        or (entity_type = e.entity_type and entity_id = e.entity_id)
        or (e.timestamp at time zone 'UTC')::date between first_day and last_day
    )
) h on true
group by 1, 2
order by 1, 2

-- name: count_erased
-- Stored once, and no more. Days in order, as every batch takes them.
update activity_ledger as ledger set erased = ledger.erased + gone.rows
from (
    select day, sum(rows)::bigint as rows
    from unnest(%(days)s::date[], %(rows)s::bigint[]) as given (day, rows)
    group by day
    order by day
) as gone
where ledger.day = gone.day

-- name: revise
-- What was computed from these days counts what is gone.
update activity_days as d set revision = revision + 1, changed_at = clock_timestamp()
from (
    select day from activity_days where day = any (%(days)s::date[]) order by day for update
) as touched
where d.day = touched.day

-- name: blank
-- A letter's bytes. It stays dead-lettered; one that was replayed was stored, and is only a copy.
update activity_dead_letters set
    line = '', other_fields = null, state = case when state = 'open' then 'erased' else state end
where id = any (%(ids)s::bigint[])
returning
    case when state = 'replayed' then 'replayed_letters' else 'dead_letters' end as place,
    (received_at at time zone 'UTC')::date as day, event_count::bigint as rows, null::bigint as hold

-- name: erase_copies
-- Rows that came back from an archive that still held them.
with restored as (
    delete from activity_logs_archive
    where user_id = %(user_id)s or (entity_type = %(entity_type)s and entity_id = %(entity_id)s)
    returning timestamp
)
select 'restored' as place, (timestamp at time zone 'UTC')::date as day, count(*) as rows, null::bigint as hold
from restored
group by 1, 2

-- name: note
-- What one transaction took, with what those before it did.
insert into activity_erased_rows as noted (erasure, place, day, rows)
values (%(erasure)s, %(place)s, %(day)s, %(rows)s)
on conflict (erasure, place, day) do update set rows = noted.rows + excluded.rows

-- name: touched_tables
-- Where an erasure left dead rows, as far as the tables are still there.
with noted as (select place, day from activity_erased_rows where erasure = %(erasure)s)
select c.relname::text as name
from noted n
join pg_class c on c.relname = 'activity_logs_current_' || to_char(n.day, 'YYYYMMDD')
join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'activity_logs_current'::regclass
where n.place = 'hot'
union
select inhrelid::regclass::text from pg_inherits
where inhparent = 'activity_logs_archive'::regclass and exists (select from noted where place = 'restored')
union
select case place when 'late' then 'activity_logs_late' else 'activity_dead_letters' end
from noted
where place in ('late', 'dead_letters', 'replayed_letters')
order by name

-- name: is_owner
-- Whether the event tables are ours to vacuum.
select pg_has_role(relowner, 'usage') from pg_class where oid = 'activity_logs_current'::regclass
