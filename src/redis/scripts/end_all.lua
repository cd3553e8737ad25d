#!lua flags=allow-oom
-- Ends all sessions of a user, and refuses the logins that began before now.
--
-- KEYS[1]  the user's HASH
-- Reply    the moment of the revocation (ms), by this server's clock
--
-- Nothing but the moment stays, for ten minutes. A repeat moves it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 'r', string.format('%.0f', now))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', now + 600000))
return now
