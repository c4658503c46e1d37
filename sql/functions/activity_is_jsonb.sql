-- Whether Postgres can keep a text as jsonb: the last word on metadata, asked only when a batch was refused.
create or replace function public.activity_is_jsonb(candidate text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
    perform candidate::jsonb;
    return true;
exception when others then
    return false;
end
$$;
comment on function public.activity_is_jsonb(text) is 'Whether Postgres can keep a text as jsonb';
