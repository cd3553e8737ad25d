#!lua
-- Rewrites a user that has a session.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 user, `<version> <as of> <JSON>`   2 as of (ms)
-- Reply    1, or 0 where there is no such user, or one as of a later moment
--
-- `u` moves forward only: what was read before a demotion cannot undo it. A repeat changes nothing.
local user = redis.call('HGET', KEYS[1], 'u')
if not user then
    return 0
end
local as_of = tonumber(string.match(user, '^%d+ (%d+) ') or '')
if as_of and as_of > tonumber(ARGV[2]) then
    return 0
end
redis.call('HSET', KEYS[1], 'u', ARGV[1])
return 1
