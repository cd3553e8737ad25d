#!lua flags=allow-oom
-- Tells every process that something of a user ended or was rewritten.
--
-- KEYS[1]  the stream of notices
-- ARGV     1 tag (16 bytes)
-- Reply    the entry's id
--
-- The latest 100,000 are kept, some 4 MB, and none longer than ten minutes after the last: whoever logs out
-- with tickets that nobody issued must not fill the store. A repeat tells it once more. A key of another
-- type gives way.
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', 100000, '*', 's', ARGV[1])
if type(added) == 'table' and added.err and string.find(added.err, 'WRONGTYPE', 1, true) then
    redis.call('UNLINK', KEYS[1])
    added = redis.call('XADD', KEYS[1], '*', 's', ARGV[1])
end
local time = redis.call('TIME')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', time[1] * 1000 + 600000))
return added
