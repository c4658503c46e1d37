-- Whether a producer numbers its events: neither entries without a producer nor the outbox do.
-- Not strict, without settings and of immutable parts only, so that Postgres inlines it.
create or replace function public.activity_is_sequenced(producer_id text)
returns boolean
language sql
immutable parallel safe
as $$ select producer_id not in ('', 'outbox') $$;
comment on function public.activity_is_sequenced(text) is 'Whether a producer numbers its events: neither entries without a producer nor the outbox do';
