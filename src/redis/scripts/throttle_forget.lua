#!lua flags=allow-oom
-- Knows no device of an account any longer.
--
-- KEYS[1]  the account's known devices
-- Reply    1, or 0 where there was none
--
-- A repeat does nothing.
return redis.call('UNLINK', KEYS[1])
