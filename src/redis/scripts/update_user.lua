#!lua
-- Rewrites a user that has a session.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 user (JSON)   2 as of (ms)
-- Reply    1, or 0 where there is no such user, or one as of a later moment
--
-- `u` moves forward only: what was read before a demotion cannot undo it. A repeat changes nothing.
local user = redis.call('HGET', KEYS[1], 'u')
if not user then
    return 0
end
local read, known = pcall(cjson.decode, user)
if read and type(known) == 'table' and tonumber(known.a) and known.a > tonumber(ARGV[2]) then
    return 0
end
redis.call('HSET', KEYS[1], 'u', ARGV[1])
return 1
