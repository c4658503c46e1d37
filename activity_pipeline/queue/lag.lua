-- What of the stream KEYS[1] waits after the entry ARGV[1]; frames are counted, not sent.
-- Returns: entries in the stream, those of them that lie at or before ARGV[1], the id of the first one after it
-- ('' for none), then of up to ARGV[2] entries after it: how many were looked at, and the events that they say
-- they hold (field n; one where an entry has none).
local length = redis.call('XLEN', KEYS[1])
if length == 0 then return {0, 0, '', 0, 0} end
local stored = 0
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local waiting = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', tonumber(ARGV[2]))
if #waiting == 0 then return {length, length, '', 0, 0} end
if first[1][1] ~= waiting[1][1] then
    stored = #redis.call('XRANGE', KEYS[1], '-', ARGV[1])
end
local events = 0
for i = 1, #waiting do
    local fields, count = waiting[i][2], 1
    for j = 1, #fields, 2 do
        if fields[j] == 'n' then count = math.max(tonumber(fields[j + 1]) or 1, 1) end
    end
    events = events + count
end
return {length, stored, waiting[1][1], #waiting, events}
