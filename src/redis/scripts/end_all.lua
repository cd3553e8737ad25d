-- Ends all sessions of a user, and refuses the logins that began before now.
--
-- KEYS[1]  the user's HASH
-- Reply    the moment of the revocation (ms), by this server's clock
--
-- Nothing but the moment stays, for ten minutes. A repeat moves it.
local stored = redis.pcall('HGETALL', key)
if not stored.err then
    local all, handles = load(stored), {}
    for _, session in pairs(all.sessions) do
        handles[session.handle] = true
    end
    for handle in pairs(handles) do
        redis.call('UNLINK', key .. ':' .. handle)
    end
end
redis.call('UNLINK', key)
local now = revoke()
redis.call('PEXPIREAT', key, digits(now + 600000))
return now
