-- Rewrites a user that has a session.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 user, `<version> <as of> <JSON>`   2 as of (ms)
-- Reply    1, or 0 where there is no such user, or one as of a later moment
--
-- `u` moves forward only: what was read before a demotion cannot undo it. A repeat changes nothing. A
-- moment of more than 15 digits is none of ours and gives way.
local user = redis.call('HGET', KEYS[1], 'u')
if not user then
    return 0
end
local as_of = string.match(user, '^%d+ (%d+) ')
if as_of and #as_of <= 15 and tonumber(as_of) > tonumber(ARGV[2]) then
    return 0
end
redis.call('HSET', KEYS[1], 'u', ARGV[1])
return 1
