--- The echo server: what comes is sent back (RFC 862), line by line, and with options that
--- show what a stream is. Each frame (a line; raw: what one receive gave, or a block) goes
--- through the same steps, in this order, so that all options work together:
---
---   framing, max_line and overflow, batch, delay, reply, terminator, repeat_reply, chunk and
---   chunk_delay, close_after
local core = require "echolot.core"
local crc32 = require "echolot.servers.crc32"
local frames = require "echolot.servers.frames"
local turns = require "echolot.servers.turns"

-- A line without a limit of its own ends its client here, as max_buffer does elsewhere.
local LINE_MAX = 1 << 20

local SIZE_MAX = 1 << 30

local RECV_MAX = 64 << 10
local FRAMED_RECV_MAX = 16 << 10 -- each byte of it may be a frame that has to be answered
local LF, CR = 10, 13

-- Replies are gathered up to so many bytes before they are sent.
local GATHERED_MAX = 64 << 10

---@type echolot.servers.definition
local M = {
    name = "echo",
    summary = "sends back what comes, line by line (RFC 862)",
    options = {
        { name = "framing", type = "choice", choices = { "line", "raw" }, default = "line",
            help = "what is answered: a line, or whatever has come" },
        { name = "reply", type = "choice", default = "same",
            choices = { "same", "upper", "lower", "reverse", "previous", "count", "hash" },
            help = "what is answered: the line, the one before (previous), its length in bytes "
                .. "(count), its CRC-32 (hash)" },
        { name = "terminator", type = "choice", choices = { "same", "lf", "crlf", "none" },
            default = "same", help = "how replies end" },
        { name = "chunk", type = "integer", min = 1, max = SIZE_MAX,
            help = "send replies in pieces of N bytes" },
        { name = "chunk_delay", type = "seconds", min = 0, default = 0,
            help = "pause between two pieces" },
        { name = "delay", type = "seconds", min = 0, default = 0,
            help = "pause before each reply" },
        { name = "repeat_reply", type = "integer", min = 1, max = SIZE_MAX, default = 1,
            help = "send each reply N times" },
        { name = "greeting", type = "text", help = "a line that each client is sent first" },
        { name = "max_line", type = "integer", min = 1, max = SIZE_MAX,
            help = "bytes of a line at most, its end not counted; raw: of what is answered at once" },
        { name = "overflow", type = "choice", choices = { "truncate", "split", "close" },
            default = "truncate", help = "what becomes of a line beyond max_line" },
        { name = "close_after", type = "integer", min = 1, max = SIZE_MAX,
            help = "close once N lines are answered" },
        { name = "idle_timeout", type = "seconds",
            help = "close when the client has neither sent nor taken anything for S seconds" },
        { name = "half_close", type = "choice", choices = { "drain", "close" }, default = "drain",
            help = "at the client's FIN: answer what came before it, or drop that" },
        { name = "batch", type = "integer", min = 1, max = SIZE_MAX,
            help = "answer once N bytes are in: lines together, raw in blocks of N" },
    },
}

-- Makers of functions from a frame's text to the reply's.
local replies = {
    same = function()
        return function(text)
            return text
        end
    end,
    upper = function()
        return string.upper
    end,
    lower = function()
        return string.lower
    end,
    reverse = function()
        return string.reverse
    end,
    previous = function()
        local before = ""
        return function(text)
            local reply = before
            before = text
            return reply
        end
    end,
    count = function()
        return function(text)
            return tostring(#text)
        end
    end,
    hash = function()
        return function(text)
            return ("%08x"):format(crc32.sum(text))
        end
    end,
}

local ends = { lf = "\n", crlf = "\r\n", none = "" }

-- Pauses that a FIN ends where it ends everything: `pause(seconds)` is false then. What comes
-- meanwhile stays in the connection's buffer, unless it is dropped with the rest.
local function pause_of(conn, options)
    if options.half_close == "drain" then
        return function(seconds)
            core.sleep(seconds)
            return true
        end
    end
    return function(seconds)
        local last_s = core.now() + seconds
        local ok, err = pcall(conn.read, conn:timeout(seconds), "a")
        conn:timeout(options.idle_timeout or math.huge)
        if ok then
            return false
        elseif err.kind == "limit" then -- no room left: a FIN behind that much is not seen yet
            core.sleep(math.max(last_s - core.now(), 0))
        elseif err.kind ~= "timeout" then
            error(err, 0)
        end
        return true
    end
end

local function nothing() end

-- `send(reply)` in pieces, no two of them closer than chunk_delay; false: the client ended.
local function piecewise_sender(conn, options, pause)
    local size, delay_s = options.chunk, options.chunk_delay
    local give_way = turns.new()
    local next_s = 0
    local function send_piece(piece)
        if delay_s > 0 then
            local left_s = next_s - core.now()
            if left_s > 0 and not pause(left_s) then
                return false
            end
        end
        conn:send(piece)
        next_s = core.now() + delay_s
        give_way()
        return true
    end
    return function(reply)
        if not size or #reply <= size then
            return reply == "" or send_piece(reply)
        end
        for at = 1, #reply, size do
            if not send_piece(reply:sub(at, at + size - 1)) then
                return false
            end
        end
        return true
    end
end

-- `send(reply)`, and `flush()`: replies to what came together leave together, at the latest
-- before anything is awaited. A send for each of a thousand short lines would cost the most.
local function gathering_sender(conn)
    local give_way = turns.new()
    local held, count, size = {}, 0, 0
    local function flush()
        if count == 0 then
            return
        end
        local text = table.concat(held, "", 1, count)
        for i = count, 1, -1 do
            held[i] = nil
        end
        count, size = 0, 0
        conn:send(text)
    end
    return function(reply)
        if reply == "" then
            return true
        end
        count = count + 1
        held[count] = reply
        size = size + #reply
        if size >= GATHERED_MAX then
            flush()
            give_way()
        end
        return true
    end, flush
end

local function sender_of(conn, options, pause)
    if options.chunk or options.chunk_delay > 0 then
        return piecewise_sender(conn, options, pause), nothing
    end
    return gathering_sender(conn)
end

-- `answer(text, ending)`: false once the conversation is over; `flush()`.
local function answerer_of(conn, options)
    local pause = pause_of(conn, options)
    local send, flush = sender_of(conn, options, pause)
    local reply_to = replies[options.reply]()
    local terminator = ends[options.terminator]
    local answered = 0
    return function(text, ending)
        if options.delay > 0 then
            flush()
            if not pause(options.delay) then
                return false
            end
        end
        local reply = reply_to(text) .. (terminator or ending)
        for _ = 1, options.repeat_reply do
            if not send(reply) then
                return false
            end
        end
        answered = answered + 1
        return answered ~= options.close_after
    end, flush
end

-- `before_recv` is called before each wait for more.
local function frames_of(conn, options, before_recv)
    local limit, overflow = options.max_line, options.overflow
    local give_way = turns.new()
    local more = false -- there may be bytes for which we need not wait
    local function recv()
        before_recv()
        if more then
            give_way()
        end
        local chunk = conn:recv(FRAMED_RECV_MAX)
        more = #chunk == FRAMED_RECV_MAX
        return chunk
    end
    if options.framing == "line" then
        return frames.lines(recv, limit or LINE_MAX, limit and overflow or "close")
    end
    local next_frame = options.batch and frames.blocks(recv, options.batch) or frames.chunks(recv)
    return limit and frames.limited(next_frame, limit, overflow) or next_frame
end

-- Lines are held until `batch` bytes of them are in, then answered one by one. Beside that
-- `answer`, a function that answers the rest.
local function batched(answer, batch)
    local texts, endings = {}, {}
    local held = 0
    local function answer_held()
        local n = #texts
        for i = 1, n do
            if not answer(texts[i], endings[i]) then
                return false
            end
        end
        texts, endings, held = {}, {}, 0
        return true
    end
    return function(text, ending)
        local n = #texts + 1
        texts[n], endings[n] = text, ending
        held = held + #text + #ending
        return held < batch or answer_held()
    end, answer_held
end

local function answer_frames(next_frame, answer, answer_rest, drains)
    for text, ending, cut in next_frame do
        if (cut and not drains) or not answer(text, ending) then
            return
        end
    end
    if drains then
        answer_rest()
    end
end

local function converse(conn, options)
    local answer, flush = answerer_of(conn, options)
    local answer_rest = nothing
    if options.batch and options.framing == "line" then
        answer, answer_rest = batched(answer, options.batch)
    end
    local next_frame = frames_of(conn, options, flush)
    answer_frames(next_frame, answer, answer_rest, options.half_close == "drain")
    flush()
end

-- Whether the line that is held and goes on in `chunk`, up to `lf` if that is its end there,
-- has more than LINE_MAX bytes; the CR before an LF is not counted.
local function is_too_long(held, chunk, lf)
    local size = held.size + (lf or #chunk + 1) - 1
    if size <= LINE_MAX then
        return false
    end
    local last = lf == 1 and held:last_byte() or chunk:byte(lf and lf - 1 or -1)
    return size > LINE_MAX + 1 or last ~= CR
end

-- Without options whole lines go back as they are: one string for all that came at once.
local function converse_plainly(conn)
    local recv, send = conn.recv, conn.send
    local held = frames.rope() -- the line of which the end has not come
    local chunk = recv(conn, RECV_MAX)
    while chunk ~= "" do
        if held.size == 0 and chunk:byte(-1) == LF then
            send(conn, chunk)
        else
            local lf = chunk:find("\n", 1, true)
            if is_too_long(held, chunk, lf) then
                return
            end
            local past = lf and chunk:match ".*\n()" or 1
            if lf then
                send(conn, held:take(), chunk:sub(1, past - 1))
            end
            held:add(chunk:sub(past))
        end
        chunk = recv(conn, RECV_MAX)
    end
    send(conn, held:take())
end

--- By UDP a datagram is a frame, whatever `framing` says; of the options these hold: reply (`previous`: whoever sent
--- that), terminator, repeat_reply.
---@param options table
function M.answerer(options)
    local reply_to = replies[options.reply]()
    local terminator = ends[options.terminator]
    return function(datagram)
        local text, ending = datagram, ""
        if options.framing == "line" then
            text, ending = datagram:match "^(.-)(\r?\n?)$"
        end
        return reply_to(text) .. (terminator or ending), options.repeat_reply
    end
end

local function is_plain(options)
    for _, option in ipairs(M.options) do
        if option.name ~= "greeting" and options[option.name] ~= option.default then
            return false
        end
    end
    return true
end

--- Talks with one client until either side ends.
---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:timeout(options.idle_timeout or math.huge)
    if options.greeting then
        conn:send(options.greeting, options.terminator == "crlf" and "\r\n" or "\n")
    end
    if is_plain(options) then
        converse_plainly(conn)
    else
        converse(conn, options)
    end
end

return M
