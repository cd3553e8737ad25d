#!lua flags=no-writes
-- Finds the session of a handle, whatever its id is by now.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 handle
-- Reply    {record, when it was last seen or nothing}, or nothing
--
-- A superseded record is none.
local stored = redis.call('HGETALL', KEYS[1])
for n = 1, #stored, 2 do
    local handle = string.match(stored[n + 1], '^1 %d+ %d+ %d+ [01] (%S+) ')
    if handle == ARGV[1] and string.sub(stored[n], 1, 2) == 's:' then
        local seen = redis.call('HGET', KEYS[1], 't:' .. string.sub(stored[n], 3))
        return { stored[n + 1], seen }
    end
end
return false
