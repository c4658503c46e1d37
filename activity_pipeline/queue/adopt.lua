-- Moves up to ARGV[1] events from the tail (the oldest) of the legacy list KEYS[1] into one entry of
-- the stream KEYS[2]. Atomic: an event is in one or the other. Returns how many were moved.
-- A raw newline inside an event can only be white space of its JSON, so a space stands in for it.
local events = redis.call('LRANGE', KEYS[1], -tonumber(ARGV[1]), -1)
if #events == 0 then return 0 end
local lines = {}
for i = #events, 1, -1 do
    lines[#lines + 1] = (string.gsub(events[i], '[\r\n]', ' '))
end
redis.call('XADD', KEYS[2], '*', 'e', table.concat(lines, '\n') .. '\n')
redis.call('LTRIM', KEYS[1], 0, -#events - 1)
return #events
