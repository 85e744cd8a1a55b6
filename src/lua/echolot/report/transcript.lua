--- A conversation as a person reads it: who sent what when, a line of bytes a line.
---
--- What was said is a stranger's: every byte of it is escaped, and what is shown of one event, and how many events
--- are, is bounded.
local base64 = require "echolot.report.base64"
local columns = require "echolot.report.columns"
local hexdump = require "echolot.hexdump"
local inspect = require "echolot.inspect"

local M = {}

local byte, format, gsub, match, rep, sub =
    string.byte, string.format, string.gsub, string.match, string.rep, string.sub
local max, min = math.max, math.min
local concat, move = table.concat, table.move
local ipairs, pairs, tostring, type = ipairs, pairs, tostring, type
local utf8_len = utf8.len
local plural = inspect.plural

---@class echolot.transcript.view
---@field style echolot.style
---@field indent? string
---@field width? integer columns of a line (96)
---@field events? integer that are shown at most; what was first and what came last, when there are more
---@field head? integer lines of one event's bytes that are shown from its start, of more than these (6)
---@field tail? integer and from its end (2)

local WIDTH, HEAD, TAIL = 96, 6, 2
local FIRST_EVENTS = 4
local WIDEST_PARTY = 28
local USUAL_TIME = #"9999.9 ms"
local NARROW, NARROWEST = 60, 28 -- columns below which names are short; below which data has lines of its own
local SHOWN_UNREAD = 64

local WORDS = { eof = "the peer has finished sending" }

-- Bytes ------------------------------------------------------------------------------------------------------------

---@param data string|table
---@return string
local function bytes_of(data)
    if type(data) == "table" then
        return base64.decode(tostring(data.base64 or ""))
    end
    return tostring(data)
end

-- How an event's bytes are cut into lines: at their ends, and where a line is longer than there is room for.
---@class echolot.transcript.cut
---@field bytes string
---@field width integer columns
---@field mark string the quotes around text
---@field per_row? integer bytes of a row, of a hex dump
---@field shift? fun(start: integer): integer what a row's offset is to be larger by

---@param bytes string
---@param at integer
---@param room integer columns
---@param quoted boolean double quotes are escaped
---@return integer stop the last byte that fits, or ends its line
---@return string text escaped
local function take_text(bytes, at, room, quoted)
    local parts, used, stop = {}, 0, at - 1
    -- Characters that take no columns shall not make a row endless.
    while stop < #bytes and stop - at < 4 * room do
        local next_at = stop + 1
        local raw = match(bytes, "^[\192-\255][\128-\191]*", next_at) or sub(bytes, next_at, next_at)
        if #raw > 1 and not utf8_len(raw) then
            raw = sub(raw, 1, 1)
        end
        local text = inspect.escape(raw, quoted)
        local width = columns.width(text)
        if used + width > room and stop >= at then
            break
        end
        parts[#parts + 1] = text
        used, stop = used + width, stop + #raw
        if raw == "\n" then
            break
        end
    end
    return stop, concat(parts)
end

---@param cut echolot.transcript.cut
---@param at integer
---@return {first: integer, last: integer, text: string}
local function take_row(cut, at)
    if cut.per_row then
        local last = min(at + cut.per_row - 1, #cut.bytes)
        local shift = cut.shift and cut.shift(at) or 0
        return { first = at, last = last, text = hexdump.row(cut.bytes, at, last, { per_row = cut.per_row, shift = shift }) }
    end
    local last, text = take_text(cut.bytes, at, max(cut.width - 2, 8), cut.mark == '"')
    return { first = at, last = last, text = cut.mark .. text .. cut.mark }
end

---@param cut echolot.transcript.cut
---@param at integer
---@param limit integer
---@return {first: integer, last: integer, text: string}[]
local function take_rows(cut, at, limit)
    local rows = {}
    while at <= #cut.bytes and #rows < limit do
        rows[#rows + 1] = take_row(cut, at)
        at = rows[#rows].last + 1
    end
    return rows
end

--- Where the last rows begin: as many lines before the end, or as many full rows.
---@param cut echolot.transcript.cut
---@param count integer
---@return integer
local function tail_start(cut, count)
    local bytes = cut.bytes
    if cut.per_row then
        return max((#bytes - 1) // cut.per_row - count + 1, 0) * cut.per_row + 1
    end
    local least = max(#bytes - count * (cut.width - 2) + 1, 1)
    local start = #bytes
    for _ = 1, count do
        repeat
            start = start - 1
        until start <= least or byte(bytes, start) == 10
        if start <= least then
            return inspect.boundary(bytes, least)
        end
    end
    return start + 1
end

--- The lines that show an event's bytes: those at the start and at the end, where there are many.
---@param event table
---@param width integer
---@param view echolot.transcript.view
---@return string[]
local function data_lines(event, width, view)
    local head, tail = view.head or HEAD, view.tail or TAIL
    local bytes, omitted = bytes_of(event.data), event.omitted or 0
    local cut = { bytes = bytes, width = width, mark = inspect.quote_for(bytes) }
    if hexdump.is_binary(bytes) then
        cut.per_row = width >= 72 and 16 or width >= 40 and 8 or 4
        cut.shift = function(start)
            return event.omitted and start > (event.omitted_after or 0) and omitted or 0
        end
    end
    local rows = take_rows(cut, 1, head + tail + 1)
    local hidden = 0
    if rows[#rows] and rows[#rows].last < #bytes then
        local last_rows = take_rows(cut, max(tail_start(cut, tail), rows[head].last + 1), math.huge)
        rows = move(rows, 1, head, 1, {})
        local from = max(#last_rows - tail + 1, 1)
        hidden = last_rows[from].first - rows[head].last - 1
        move(last_rows, from, #last_rows, head + 2, rows)
        rows[head + 1] = { text = format("... %s of %d ...", plural(hidden + omitted, "byte"), #bytes + omitted) }
    end
    local out = {}
    for index, row in ipairs(rows) do
        out[index] = row.text
    end
    if omitted > 0 and hidden == 0 then
        out[#out + 1] = format("(%s not kept)", plural(omitted, "byte"))
    end
    return out
end

-- Events -----------------------------------------------------------------------------------------------------------

-- A datagram socket may have many peers: each is shown as a party of its own.
local function is_with_one_of_many(event)
    return event.datagram and event.address and event.dir ~= "open"
end

-- Tells the parties apart.
local function id_of(event)
    local id = event.conn or event.peer or "?"
    return is_with_one_of_many(event) and format("%s %s", tostring(id), tostring(event.address)) or id
end

--- How each connection of a test is called: by its name or address, and with its number where two are called alike.
---@param events table[]
---@return table<any, string> names
---@return integer count
---@return integer width of the widest, bounded
local function name_parties(events)
    local names, taken, count, width = {}, {}, 0, 0
    for _, event in ipairs(events) do
        local id = id_of(event)
        if not names[id] then
            local name = inspect.escape(sub(tostring(event.peer or "?"), 1, 200))
            if is_with_one_of_many(event) and event.address ~= event.peer then
                name = name .. " " .. inspect.escape(sub(tostring(event.address), 1, 200))
            end
            count = count + 1
            taken[name] = (taken[name] or 0) + 1
            names[id] = taken[name] > 1 and format("%s #%d", name, taken[name]) or name
            width = max(width, columns.width(names[id]))
        end
    end
    return names, count, min(width, WIDEST_PARTY)
end

---@param seconds number
---@param long boolean
---@return string
local function time_text(seconds, long)
    return long and format("%.3f s", seconds) or format("%.1f ms", seconds * 1000)
end

---@param event table
---@param width integer
---@return string
local function closed_text(event, width)
    local unread, word = event.unread, event.dir == "reset" and "reset" or "closed"
    if not unread then
        return word
    end
    local bytes = sub(event.data ~= nil and bytes_of(event.data) or "", 1, SHOWN_UNREAD)
    local front = format("%s, %s unread: ", word, plural(unread, "byte"))
    local mark = inspect.quote_for(bytes)
    local shown = columns.chunks(inspect.escape(bytes, mark == '"'), max(width - #front - #'""...', 8))
    return format("%s%s%s%s%s", front, mark, shown[1], mark, (unread > #bytes or #shown > 1) and "..." or "")
end

---@param event table
---@param width integer
---@return string
local function word_of(event, width)
    if event.dir == "open" then
        local word = event.datagram and "open" or "connected"
        return event.address and word .. " to " .. inspect.escape(tostring(event.address)) or word
    elseif event.half then
        return "finished sending"
    elseif event.dir == "tls" then
        return "TLS: " .. inspect.escape(event.data ~= nil and bytes_of(event.data) or "")
    elseif event.dir == "close" or event.dir == "reset" then
        return closed_text(event, width)
    end
    return WORDS[event.dir] or inspect.escape(tostring(event.dir))
end

---@class echolot.transcript.layout
---@field names table<any, string>
---@field several boolean
---@field party integer columns of the parties' names
---@field time integer columns of the time
---@field long boolean times in seconds instead of milliseconds
---@field width integer columns that are left for what was said
---@field word_width integer the same for what happened without bytes
---@field below boolean what was said stands below the line that tells who

---@param events table[]
---@param view echolot.transcript.view
---@return echolot.transcript.layout
local function layout_of(events, view)
    local names, count, party = name_parties(events)
    local last = events[#events].t or 0
    local long = last >= 10
    local width = (view.width or WIDTH) - #(view.indent or "")
    local time = #time_text(last, long)
    if width < NARROW then
        party = min(party, 10)
    else
        time = max(time, USUAL_TIME) -- so that most transcripts look alike
    end
    local arrow = columns.width(view.style.symbols.sent)
    local left = width - 2 - time - 2 - (count > 1 and party + 2 or 0) - arrow - 1
    local below = count > 1 and left < NARROWEST
    return {
        names = names, several = count > 1, party = party, time = time, long = long, below = below,
        width = max(below and width - 8 or left, 12), word_width = max(below and width - 6 or left + arrow + 1, 12),
    }
end

---@param event table
---@param layout echolot.transcript.layout
---@param view echolot.transcript.view
---@param out string[]
local function add_event(event, layout, view, out)
    local style, indent = view.style, view.indent or ""
    local time = format("  %" .. layout.time .. "s  ", time_text(event.t or 0, layout.long))
    local blank = rep(" ", #time)
    local who = ""
    if layout.several then
        who = columns.fit(layout.names[id_of(event)], layout.party)
        who = (layout.below and gsub(who, " +$", "") or who) .. "  "
        blank = blank .. rep(" ", layout.party + 2)
    end
    local front = indent .. style.paint("dim", time) .. style.paint("bold", who)
    local sent = event.dir == "send"
    if not sent and event.dir ~= "recv" then
        local lines = columns.wrap(word_of(event, layout.word_width), layout.word_width)
        if layout.below and (#lines > 1 or #lines[1] > #"connected") then
            out[#out + 1] = indent .. style.paint("dim", time) .. style.paint("bold", (gsub(who, " +$", "")))
            front, blank = indent .. rep(" ", 6), rep(" ", 6)
        end
        for index, line in ipairs(lines) do
            out[#out + 1] = (index == 1 and front or indent .. blank) .. style.paint("dim", line)
        end
        return
    end
    local color = sent and "cyan" or "yellow"
    local arrow = sent and style.symbols.sent or style.symbols.received
    local none = rep(" ", columns.width(arrow))
    if layout.below then
        out[#out + 1] = front .. style.paint(color, arrow)
        front, arrow, blank = indent .. rep(" ", 5), none, rep(" ", 5)
    end
    local lines = event.data ~= nil and data_lines(event, layout.width, view) or { "" }
    if #lines == 0 then -- a datagram may be empty
        lines = { '""' }
    end
    for index, line in ipairs(lines) do
        out[#out + 1] = (index == 1 and front .. style.paint(color, arrow) or indent .. blank .. none) .. " " .. line
    end
end

--- Joins the pieces of one send, which were noted at one time.
---@param events table[]
---@return table[]
local function join_sends(events)
    local out = {}
    for _, event in ipairs(events) do
        local last = out[#out]
        if last and event.dir == "send" and last.dir == "send" and event.t == last.t and event.conn == last.conn
            and event.peer == last.peer and not event.datagram and not event.omitted and not last.omitted then
            local joined = {}
            for key, value in pairs(last) do
                joined[key] = value
            end
            joined.data = bytes_of(last.data or "") .. bytes_of(event.data or "")
            out[#out] = joined
        else
            out[#out + 1] = event
        end
    end
    return out
end

--- Appends the lines of a transcript to `out`; none where there are no events.
---@param events table[] as `test_end` has them
---@param dropped? integer events that were not kept
---@param view echolot.transcript.view
---@param out string[]
function M.lines(events, dropped, view, out)
    if type(events) ~= "table" or #events == 0 then
        return
    end
    events = join_sends(events)
    local style, indent = view.style, view.indent or ""
    local layout = layout_of(events, view)
    local title = "conversations:"
    if not layout.several then
        title = format("conversation with %s:", layout.names[id_of(events[1])])
    end
    for _, line in ipairs(columns.wrap(title, (view.width or WIDTH) - #indent)) do
        out[#out + 1] = indent .. style.paint("bold", line)
    end
    if dropped and dropped > 0 then
        out[#out + 1] = indent .. style.paint("dim", format("  (%s not kept)", plural(dropped, "earlier event")))
    end
    local limit = view.events or #events
    local hidden = #events - limit
    local first = hidden > 1 and min(FIRST_EVENTS, limit // 4) or #events
    for index, event in ipairs(events) do
        if index <= first or index > first + hidden then
            add_event(event, layout, view, out)
        elseif index == first + 1 then
            out[#out + 1] = indent .. style.paint("dim", format("  ... %s ...", plural(hidden, "event")))
        end
    end
end

--- Appends a line for each connection that was closed with bytes that nobody had read.
---@param events table[]
---@param view echolot.transcript.view
---@param out string[]
function M.unread(events, view, out)
    if type(events) ~= "table" or #events == 0 then
        return
    end
    local names = name_parties(events)
    for _, event in ipairs(events) do
        if event.unread then
            local text = format("%s: %s", names[id_of(event)], closed_text(event, WIDTH))
            for _, line in ipairs(columns.wrap(text, (view.width or math.huge) - #(view.indent or ""))) do
                out[#out + 1] = (view.indent or "") .. view.style.paint("yellow", line)
            end
        end
    end
end

--- The transcript as plain text, for a message.
---@param events table[]
---@param view echolot.transcript.view without a style
---@return string
function M.text(events, view)
    local out = {}
    view.style = {
        symbols = { sent = "->", received = "<-" },
        paint = function(_, text)
            return text
        end,
    }
    M.lines(events, nil, view, out)
    return concat(out, "\n")
end

return M
