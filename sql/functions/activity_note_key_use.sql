-- Notes that keys were used, each once a minute at most, for a caller who may write nothing else.
create or replace function public.activity_note_key_use(prefixes text[])
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    update public.activity_api_keys set last_used_at = clock_timestamp()
    where prefix = any (prefixes)
        and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute');
end
$$;
comment on function public.activity_note_key_use(text[]) is 'Notes that keys were used, each once a minute at most';
revoke all on function public.activity_note_key_use(text[]) from public;
