#!lua
-- Keeps a value of a session, where the session exists and the key holds what is expected.
--
-- KEYS[1]  the user's HASH
-- KEYS[2]  the session's values, a HASH: key -> `<revision> <JSON>`, and under the empty name, which
--          no key has, `<last revision> <bytes of all keys and values>`
-- ARGV     1 id (32 bytes, or empty: any of the handle)   2 handle   3 key   4 JSON
--          5 expected: `any`, `absent` or a revision   6 most bytes
-- Reply    the value's revision, or 'conflict', 'large', 'gone'
--
-- A revision is given once in the session's life. The values end with the session's record. A repeat
-- gives a new revision, and one that expects a revision is a conflict. What cannot be read is counted
-- anew, and counts as a value that nobody expects; a key of another type gives way.
local function read(record)
    return string.match(record, '^1 %d+ (%d+) %d+ ([012]) (%S+) ')
end
local ends, state, handle = read(redis.call('HGET', KEYS[1], 's:' .. ARGV[1]) or '')
if state == '2' or ARGV[1] == '' then
    -- A superseded one has seconds left: its successor has the end of the values.
    local wanted = handle or ARGV[2]
    ends, handle = nil, nil
    for _, text in ipairs(redis.call('HGETALL', KEYS[1])) do
        local other_ends, other_state, other = read(text)
        if other == wanted and other_state ~= '2' then
            ends, handle = other_ends, other
        end
    end
end
if handle ~= ARGV[2] or #ends > 15 then
    return 'gone'
end

local held = redis.pcall('HMGET', KEYS[2], ARGV[3], '')
if held.err then
    if not string.find(held.err, 'WRONGTYPE', 1, true) then
        return held
    end
    redis.call('UNLINK', KEYS[2])
    held = { false, false }
end
local before = held[1]
local revision, bytes = string.match(held[2] or '', '^(%d+) (%d+)$')
if not revision or #revision > 15 or #bytes > 15 then
    revision, bytes = 0, 0
    local all = redis.call('HGETALL', KEYS[2])
    for n = 1, #all, 2 do
        local given, json = string.match(all[n + 1], '^(%d+) (.*)$')
        if all[n] ~= '' and given and #given <= 15 then
            revision = math.max(revision, tonumber(given))
            bytes = bytes + #all[n] + #json
        elseif all[n] ~= '' then
            redis.call('HDEL', KEYS[2], all[n])
            if all[n] == ARGV[3] then
                before = false
            end
        end
    end
end

local known, json
if before then
    known, json = string.match(before, '^(%d+) (.*)$')
end
if ARGV[5] == 'absent' then
    if before then
        return 'conflict'
    end
elseif ARGV[5] ~= 'any' and known ~= ARGV[5] then
    return 'conflict'
end

bytes = tonumber(bytes) + #ARGV[4]
if not before then
    bytes = bytes + #ARGV[3]
elseif json then
    bytes = bytes - #json
end
if bytes > tonumber(ARGV[6]) then
    return 'large'
end
revision = string.format('%.0f', tonumber(revision) + 1)
local total = revision .. ' ' .. string.format('%.0f', bytes)
redis.call('HSET', KEYS[2], ARGV[3], revision .. ' ' .. ARGV[4], '', total)
redis.call('PEXPIREAT', KEYS[2], ends)
return revision
