-- name: qualify
-- Definitions name every function with its schema, and mean the same again.
select set_config('search_path', '', true)

-- name: triggers
-- Triggers of one table, or of all outside the system's schemas; what partitions inherited belongs to their parents.
select
    format('%%s.%%s', n.nspname, c.relname) as table_name,
    format('%%I.%%I', n.nspname, c.relname) as relation,
    t.tgname::text as name,
    t.tgtype::integer as kind,
    format('%%s.%%s', pn.nspname, p.proname) as function,
    pg_get_triggerdef(t.oid) as definition,
    t.tgenabled::text as enabled,
    obj_description(t.oid, 'pg_trigger') as comment,
    t.tgqual is not null or coalesce(array_length(t.tgattr::int2[], 1), 0) > 0 as is_conditional,
    exists (
        select from pg_depend as d
        where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.deptype = 'e'
    ) as is_of_extension,
    array(
        select e.extname::text from pg_depend as d
        join pg_extension as e on e.oid = d.refobjid
        where d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.deptype = 'x'
            and d.refclassid = 'pg_extension'::regclass
        order by 1
    ) as extensions,
    -- Postgres 12 has no column tgparentid, and marks what is inherited as internal.
    array(
        select array[format('%%I.%%I', cn.nspname, cc.relname), ct.tgname::text, ct.tgenabled::text]
        from pg_trigger as ct
        join pg_class as cc on cc.oid = ct.tgrelid
        join pg_namespace as cn on cn.oid = cc.relnamespace
        where ct.tgname = t.tgname and ct.tgrelid <> t.tgrelid
            and ct.tgrelid in (
                with recursive below as (
                    select inhrelid from pg_inherits where inhparent = t.tgrelid and c.relkind = 'p'
                    union all
                    select i.inhrelid from pg_inherits as i join below on i.inhparent = below.inhrelid
                )
                select inhrelid from below
            )
        order by 1
    ) as inherited
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_namespace as n on n.oid = c.relnamespace
join pg_proc as p on p.oid = t.tgfoid
join pg_namespace as pn on pn.oid = p.pronamespace
where not t.tgisinternal
    and (%(relation)s::text is null or t.tgrelid = to_regclass(%(relation)s::text))
    and coalesce((to_jsonb(t) ->> 'tgparentid')::bigint, 0) = 0
    and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    and pn.nspname <> 'activity_legacy'
order by n.nspname, c.relname, t.tgname

-- name: functions
-- Functions outside the system's schemas, with their text.
select
    p.oid::bigint as id,
    format('%s.%s', n.nspname, p.proname) as name,
    l.lanname::text as language,
    case when l.lanname in ('c', 'internal') then '' else pg_get_functiondef(p.oid) end as text
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
join pg_language as l on l.oid = p.prolang
where p.prokind in ('f', 'p')
    and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and n.nspname <> 'activity_legacy'
order by 2, 1

-- name: relations
-- Tables and views outside the system's schemas.
select format('%s.%s', n.nspname, c.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f', 'm')
    and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
order by 1

-- name: references
-- Which table refers to which by a foreign key.
select distinct
    format('%s.%s', n.nspname, c.relname) as child,
    format('%s.%s', fn.nspname, f.relname) as parent
from pg_constraint as k
join pg_class as c on c.oid = k.conrelid
join pg_namespace as n on n.oid = c.relnamespace
join pg_class as f on f.oid = k.confrelid
join pg_namespace as fn on fn.oid = f.relnamespace
where k.contype = 'f' and k.conrelid <> k.confrelid
order by 1, 2
