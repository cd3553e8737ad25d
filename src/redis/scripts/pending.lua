-- Keeps a login that waits for its confirmation.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)   2 the login, `1 <begun> <end> ..`   3 since (ms)
--          4 own revocation (ms, or empty)   5 most that wait   6 now (ms)   7 idle (ms)
-- Reply    'kept' or 'revoked'
--
-- Of those that wait the oldest gives way. No session ends, no user is written. A repeat leaves one.
local id = ARGV[1]
local now, idle = tonumber(ARGV[6]), tonumber(ARGV[7])
local revoked, failed = revocation(now)
if failed then
    return failed
end
if refuses(revoked, tonumber(ARGV[3]), ARGV[4]) then
    return 'revoked'
end
local all = load()
trim(all, now, idle)
forget_user(all)
all.pending[id] = nil
local waiting = in_order(all.pending, 'begun')
for n = 1, #waiting + 1 - tonumber(ARGV[5]) do
    redis.call('HDEL', key, 'p:' .. waiting[n].id)
    all.pending[waiting[n].id] = nil
end
redis.call('HSET', key, 'p:' .. id, ARGV[2])
all.pending[id] = { id = id, ends = moment(string.match(ARGV[2], '^1 %d+ (%d+) ')) }
expire(all, idle, revoked)
return 'kept'
