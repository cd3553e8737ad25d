#!lua flags=allow-oom
-- Ends one session; with a user's last session the user is forgotten.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)
-- Reply    1, or 0 where there was no such session
--
-- A revocation (`r`) stays. A repeat does nothing.
local ended = redis.call('HDEL', KEYS[1], 's:' .. ARGV[1])
redis.call('HDEL', KEYS[1], 't:' .. ARGV[1])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 2) == 's:' then
        return ended
    end
end
redis.call('HDEL', KEYS[1], 'u')
return ended
