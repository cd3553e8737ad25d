#!lua flags=allow-oom
-- Takes a value of a session out.
--
-- KEYS[1]  the session's values, as in data_set.lua
-- ARGV     1 key
-- Reply    `<revision> <JSON>`, or nothing
--
-- The count of revisions stays. A repeat finds nothing.
local held = redis.call('HMGET', KEYS[1], ARGV[1], '')
if not held[1] then
    return false
end
redis.call('HDEL', KEYS[1], ARGV[1])
local json = string.match(held[1], '^%d+ (.*)$')
local revision, bytes = string.match(held[2] or '', '^(%d+) (%d+)$')
if json and revision and #bytes <= 15 then
    bytes = math.max(tonumber(bytes) - #ARGV[1] - #json, 0)
    redis.call('HSET', KEYS[1], '', revision .. ' ' .. string.format('%.0f', bytes))
end
return held[1]
