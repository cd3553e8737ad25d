-- How the scripts of sessions read a user's HASH, and how a session leaves it. It stands before each
-- of them, behind its first line.
--
-- A session is what has one handle: its record, a superseded one beside it for some seconds after a
-- step-up, and its data at `KEYS[1]:<handle>`.
local key = KEYS[1]

-- A moment as we write it: milliseconds in at most 15 digits, which a double holds exactly.
local function moment(text)
    if text and #text <= 15 and string.match(text, '^%d+$') then
        return tonumber(text)
    end
    return nil
end

local function digits(number)
    return string.format('%.0f', number)
end

-- `1 <created> <end> <authenticated at> <0, 1: remembered, 2: superseded> <handle> ..`; nil where it
-- cannot be read.
local function read(record)
    local created, ends, mark, handle =
        string.match(record, '^1 (%d+) (%d+) %d+ ([012]) ([%w_-]+) ')
    created, ends = moment(created), moment(ends)
    if created and ends then
        return { created = created, ends = ends, mark = mark, handle = handle, record = record }
    end
    return nil
end

-- When a session ends if it is not used again.
local function expiry(session, last, idle)
    if session.mark == '0' then
        return math.min(session.ends, (last or session.created) + idle)
    end
    return session.ends
end

-- Everything in the HASH: `sessions` by id, those that can be read, `broken` ids of those that cannot,
-- `pending` by id, the user, and the revocation as text.
local function load(stored)
    stored = stored or redis.call('HGETALL', key)
    local all = { sessions = {}, broken = {}, pending = {}, user = nil, revoked = nil }
    local seen = {}
    for n = 1, #stored, 2 do
        local field, value = stored[n], stored[n + 1]
        local kind, id = string.sub(field, 1, 2), string.sub(field, 3)
        if kind == 's:' then
            local session = read(value)
            if session then
                session.id = id
                all.sessions[id] = session
            else
                table.insert(all.broken, id)
            end
        elseif kind == 't:' then
            seen[id] = value
        elseif kind == 'p:' then
            local begun, ends = string.match(value, '^1 (%d+) (%d+) ')
            -- What cannot be read has ended long ago.
            all.pending[id] = { id = id, begun = moment(begun) or 0, ends = moment(ends) or 0 }
        elseif field == 'u' then
            all.user = value
        elseif field == 'r' then
            all.revoked = value
        end
    end
    for id, value in pairs(seen) do
        local session = all.sessions[id]
        if session then
            session.seen = moment(value)
            if not session.seen then
                -- Nothing can read this one either.
                all.sessions[id] = nil
                table.insert(all.broken, id)
            end
        end
    end
    return all
end

local function in_order(things, by)
    local list = {}
    for _, thing in pairs(things) do
        table.insert(list, thing)
    end
    table.sort(list, function(a, b)
        if a[by] == b[by] then
            return a.id < b.id
        end
        return a[by] < b[by]
    end)
    return list
end

local function drop_record(all, id)
    redis.call('HDEL', key, 's:' .. id, 't:' .. id)
    all.sessions[id] = nil
end

-- Ends the sessions of these handles; how many of them there were.
local function end_handles(all, handles)
    local ended = 0
    for id, session in pairs(all.sessions) do
        if handles[session.handle] then
            if session.mark ~= '2' then
                ended = ended + 1
            end
            drop_record(all, id)
        end
    end
    for handle in pairs(handles) do
        redis.call('UNLINK', key .. ':' .. handle)
    end
    return ended
end

-- Drops what is dead or cannot be read. A superseded record takes nothing with it.
local function trim(all, now, idle)
    local dead = {}
    for _, id in ipairs(all.broken) do
        drop_record(all, id)
    end
    for id, session in pairs(all.sessions) do
        if expiry(session, session.seen, idle) <= now then
            if session.mark == '2' then
                drop_record(all, id)
            else
                dead[session.handle] = true
            end
        end
    end
    end_handles(all, dead)
    for id, pending in pairs(all.pending) do
        if pending.ends <= now then
            redis.call('HDEL', key, 'p:' .. id)
            all.pending[id] = nil
        end
    end
end

-- With a user's last session the user is forgotten.
local function forget_user(all)
    if not next(all.sessions) then
        redis.call('HDEL', key, 'u')
    end
end

-- The key ends with its latest session, or login that waits, and no earlier than ten minutes after a
-- revocation.
local function expire(all, idle, revoked)
    local latest = revoked and revoked + 600000 or 0
    for _, session in pairs(all.sessions) do
        latest = math.max(latest, expiry(session, session.seen, idle))
    end
    for _, pending in pairs(all.pending) do
        latest = math.max(latest, pending.ends)
    end
    redis.call('PEXPIREAT', key, digits(latest))
end

-- The moment before which everything is revoked, where there is one; what lies there and is none goes.
local function revocation(now)
    local revoked = redis.pcall('HGET', key, 'r')
    if type(revoked) == 'table' and revoked.err then
        if not string.find(revoked.err, 'WRONGTYPE', 1, true) then
            return nil, revoked
        end
        -- A key of another type: nothing of ours, and nobody could ever log in past it.
        redis.call('UNLINK', key)
        return nil
    end
    if revoked and (moment(revoked) or now * 2) > now + 600000 then
        -- What cannot be read, or lies further ahead than a revocation is kept, revokes nothing: it
        -- must not lock the user out.
        redis.call('HDEL', key, 'r')
        return nil
    end
    return revoked and moment(revoked)
end

-- Whether a request that began at `since` comes too late; a second of skew is tolerated, and its own
-- revocation is none.
local function refuses(revoked, since, own)
    return revoked and digits(revoked) ~= own and revoked > since - 1000
end

-- Writes the revocation of this moment by this server's clock.
local function revoke()
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', key, 'r', digits(now))
    return now
end
