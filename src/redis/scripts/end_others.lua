-- Ends all sessions of a user but one, and refuses the logins that began before now.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 handle of the session that stays (22 characters)   2 now (ms)   3 idle (ms)
-- Reply    the moment of the revocation (ms), by this server's clock, and how many sessions ended
--
-- A login that waits for its confirmation ends too. A repeat moves the moment, and ends none.
local now, idle = tonumber(ARGV[2]), tonumber(ARGV[3])
local _, failed = revocation(now)
if failed then
    return failed
end
local all = load()
trim(all, now, idle)
local others = {}
for _, session in pairs(all.sessions) do
    if session.handle ~= ARGV[1] then
        others[session.handle] = true
    end
end
local ended = end_handles(all, others)
for id in pairs(all.pending) do
    redis.call('HDEL', key, 'p:' .. id)
end
all.pending = {}
forget_user(all)
local revoked = revoke()
expire(all, idle, revoked)
return { revoked, ended }
