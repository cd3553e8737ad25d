-- Ends the session of one id, or the login that waits under it; with a user's last session the user is
-- forgotten.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)
-- Reply    1, or 0 where there was none
--
-- The id may be superseded, or have superseded another: what has its handle ends too. A revocation
-- (`r`) stays. A repeat does nothing.
local id = ARGV[1]
local ended = redis.call('HDEL', key, 'p:' .. id)
local all = load()
local session = all.sessions[id]
if session then
    end_handles(all, { [session.handle] = true })
    ended = 1
else
    -- A record that cannot be read has no handle to go by.
    ended = math.max(ended, redis.call('HDEL', key, 's:' .. id))
    redis.call('HDEL', key, 't:' .. id)
end
forget_user(all)
return ended
