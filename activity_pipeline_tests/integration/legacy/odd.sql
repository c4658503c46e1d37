-- Names, partitions and states as nobody would choose them.
create schema "Odd One";
create table "Odd One"."Table ""1""" (id integer, day date) partition by range (day);
create table "Odd One".part partition of "Odd One"."Table ""1""" for values from ('2026-01-01') to ('2027-01-01');
create trigger "Audit % {0} ""it""" after insert or update of day on "Odd One"."Table ""1"""
    for each row when (new.id > 0) execute function app.audit_row('id', 'it''s', '%s {}');
alter table only "Odd One".part enable always trigger "Audit % {0} ""it""";
create trigger off after delete on "Odd One"."Table ""1""" for each row execute function app.audit_row('id');
alter table "Odd One"."Table ""1""" disable trigger off;
comment on trigger off on "Odd One"."Table ""1""" is E'back\\slash, ''quote'', %s';
alter trigger off on "Odd One"."Table ""1""" depends on extension plpgsql;
