#!lua
-- Begins a session of one user, ends those that it replaces, and evicts the oldest over the bound.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)   2 record   3 user   4 as of / since (ms)
--          5 own revocation (ms, or empty)   6 most sessions   7 now (ms)   8 idle (ms)
--          9.. ids that the login replaces
-- Reply    'kept' or 'revoked'
--
-- All or nothing: a revocation later than `since` less a second of skew refuses, unless it is this
-- request's own. `u` moves forward only. A repeat leaves one session. The key ends with its latest
-- session, and no earlier than ten minutes after a revocation.
local key, id = KEYS[1], ARGV[1]
local since, now, idle = tonumber(ARGV[4]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- A moment as we write it: milliseconds in at most 15 digits, which a double holds exactly.
local function moment(text)
    if #text <= 15 and string.match(text, '^%d+$') then
        return tonumber(text)
    end
    return nil
end

local revoked = redis.pcall('HGET', key, 'r')
if type(revoked) == 'table' and revoked.err then
    if not string.find(revoked.err, 'WRONGTYPE', 1, true) then
        return revoked
    end
    -- A key of another type: nothing of ours, and nobody could ever log in past it.
    redis.call('UNLINK', key)
    revoked = false
end
if revoked and (moment(revoked) or now * 2) > now + 600000 then
    -- What cannot be read, or lies further ahead than a revocation is kept, revokes nothing: it must
    -- not lock the user out.
    redis.call('HDEL', key, 'r')
    revoked = false
end
if revoked and revoked ~= ARGV[5] and moment(revoked) > since - 1000 then
    return 'revoked'
end

local replaced = { [id] = true }
for n = 9, #ARGV do
    replaced[ARGV[n]] = true
end

-- Each session with its end; what cannot be read is dropped like what is dead.
local stored = redis.call('HGETALL', key)
local seen, records, user = {}, {}, nil
for n = 1, #stored, 2 do
    local field, value = stored[n], stored[n + 1]
    local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
    if kind == 's:' then
        records[name] = value
    elseif kind == 't:' then
        seen[name] = moment(value) or false
    elseif field == 'u' then
        user = value
    end
end
-- A record's creation and its end by use: `1 <created> <end> <authenticated at> <remembered> ..`
local function read(record, last)
    local created, ends, remembered = string.match(record, '^1 (%d+) (%d+) %d+ ([01]) ')
    created, ends = moment(created or ''), moment(ends or '')
    if not created or not ends then
        return 0, 0
    end
    if remembered == '0' then
        ends = math.min(ends, (last or created) + idle)
    end
    return created, ends
end
local function drop(name)
    redis.call('HDEL', key, 's:' .. name, 't:' .. name)
end
local living, latest = {}, 0
for name, record in pairs(records) do
    local created, ends = read(record, seen[name] or nil)
    if replaced[name] or ends <= now or seen[name] == false then
        drop(name)
    else
        table.insert(living, { name = name, created = created, ends = ends })
    end
end
table.sort(living, function(a, b)
    return a.created < b.created
end)
while #living >= tonumber(ARGV[6]) do
    drop(table.remove(living, 1).name)
end
for _, session in ipairs(living) do
    latest = math.max(latest, session.ends)
end

-- A user is `<version> <as of> <JSON>`.
local as_of = user and moment(string.match(user, '^%d+ (%d+) ') or '')
if not as_of or as_of <= since then
    redis.call('HSET', key, 'u', ARGV[3])
end
redis.call('HSET', key, 's:' .. id, ARGV[2])
local _, ends = read(ARGV[2], nil)
latest = math.max(latest, ends)
if revoked then
    latest = math.max(latest, moment(revoked) + 600000)
end
redis.call('PEXPIREAT', key, string.format('%.0f', latest))
return 'kept'
