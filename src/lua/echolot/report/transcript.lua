--- A conversation as a person reads it: who sent what when, a line of bytes a line.
---
--- What was said is a stranger's: every byte of it is escaped, and what is shown of one event, and how many events
--- are, is bounded.
local base64 = require "echolot.report.base64"
local columns = require "echolot.report.columns"
local hexdump = require "echolot.hexdump"
local inspect = require "echolot.inspect"

local M = {}

local find, format, rep, sub = string.find, string.format, string.rep, string.sub
local floor, max, min = math.floor, math.max, math.min
local concat = table.concat
local ipairs, tostring, type = ipairs, tostring, type

---@class echolot.transcript.view
---@field style echolot.style
---@field indent? string
---@field width? integer columns of a line (96)
---@field events? integer that are shown at most; what was first and what came last, when there are more
---@field head? integer lines of one event's bytes that are shown from its start (8)
---@field tail? integer and from its end (3)

local WIDTH, HEAD, TAIL = 96, 8, 3
local FIRST_EVENTS = 4
local WIDEST_PARTY = 28
local SHOWN_UNREAD = 64

local WORDS = { eof = "the peer has finished sending", reset = "reset", tls = "TLS" }

-- Bytes ------------------------------------------------------------------------------------------------------------

---@param data string|table
---@return string
local function bytes_of(data)
    if type(data) == "table" then
        return base64.decode(tostring(data.base64 or ""))
    end
    return tostring(data)
end

---@param count integer
---@param noun string
---@return string
local function plural(count, noun)
    return format("%d %s%s", count, noun, count == 1 and "" or "s")
end

--- The places where the lines of some bytes begin and end, as text or as rows of a hex dump; their text is made only
--- of those that are shown.
---@param bytes string
---@param width integer
---@return {[1]: integer, [2]: integer}[]
---@return integer? per_row bytes in a row, of a dump
local function spans_of(bytes, width)
    local spans, count, at = {}, 0, 1
    local per_row
    if hexdump.is_binary(bytes) then
        per_row = width >= 72 and 16 or width >= 40 and 8 or 4
    end
    while at <= #bytes do
        local stop
        if per_row then
            stop = at + per_row - 1
        else
            stop = find(bytes, "\n", at, true) or #bytes
            -- However it is escaped, a byte takes a column at least.
            stop = min(stop, at + 4 * width)
            stop = stop < #bytes and inspect.boundary(bytes, stop + 1) - 1 or stop
        end
        count = count + 1
        spans[count] = { at, min(stop, #bytes) }
        at = stop + 1
    end
    return spans, per_row
end

---@param text string
---@param width integer
---@param out string[]
local function add_quoted(text, width, out)
    for _, chunk in ipairs(columns.chunks(inspect.escape(text, true), max(width - 2, 8))) do
        out[#out + 1] = '"' .. chunk .. '"'
    end
end

--- The lines that show an event's bytes.
---@param event table
---@param width integer
---@param view echolot.transcript.view
---@return string[]
local function data_lines(event, width, view)
    local bytes = bytes_of(event.data)
    local spans, per_row = spans_of(bytes, width)
    local head, tail = view.head or HEAD, view.tail or TAIL
    local out, hidden = {}, #spans - head - tail
    for index, span in ipairs(spans) do
        if hidden <= 1 or index <= head or index > #spans - tail then
            if per_row then
                out[#out + 1] = hexdump.row(bytes, span[1], span[2], per_row)
            else
                add_quoted(sub(bytes, span[1], span[2]), width, out)
            end
        elseif index == head + 1 then
            local from, to = span[1], spans[#spans - tail][2]
            out[#out + 1] = format("... %s of %d in %s ...", plural(to - from + 1, "byte"),
                #bytes + (event.omitted or 0), plural(hidden, per_row and "row" or "line"))
        end
    end
    if event.omitted then
        out[#out + 1] = format("(%s between the start and the end not kept)", plural(event.omitted, "byte"))
    end
    return out
end

-- Events -----------------------------------------------------------------------------------------------------------

--- How each connection of a test is called: by its name or address, and with its number where two are called alike.
---@param events table[]
---@return table<any, string> names
---@return integer count
---@return integer width of the widest, bounded
local function name_parties(events)
    local names, taken, count, width = {}, {}, 0, 0
    for _, event in ipairs(events) do
        local id = event.conn or event.peer or "?"
        if not names[id] then
            local name = inspect.escape(sub(tostring(event.peer or "?"), 1, 200))
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
    local unread = event.unread
    if not unread then
        return "closed"
    end
    local bytes = event.data ~= nil and bytes_of(event.data) or ""
    local shown = inspect.string(sub(bytes, 1, SHOWN_UNREAD), max(width - 24, 8))
    if unread > #bytes and sub(shown, -1) == '"' then
        shown = shown .. "..."
    end
    return format("closed, %s unread: %s", plural(unread, "byte"), shown)
end

---@param event table
---@param width integer
---@return string
local function word_of(event, width)
    if event.dir == "open" then
        return event.address and "connected to " .. inspect.escape(tostring(event.address)) or "connected"
    elseif event.half then
        return "finished sending"
    elseif event.dir == "close" then
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

---@param events table[]
---@param view echolot.transcript.view
---@return echolot.transcript.layout
local function layout_of(events, view)
    local names, count, party = name_parties(events)
    local last = events[#events].t or 0
    local long = last >= 10
    local width = (view.width or WIDTH) - #(view.indent or "")
    local time = #time_text(last, long)
    if width < 60 then
        party = min(party, 10)
    end
    local left = width - 2 - time - 2 - (count > 1 and party + 2 or 0) - 2
    return {
        names = names, several = count > 1, party = party, time = time, long = long, width = max(left, 16),
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
        who = columns.fit(layout.names[event.conn or event.peer or "?"], layout.party) .. "  "
        blank = blank .. rep(" ", layout.party + 2)
    end
    local front = indent .. style.paint("dim", time) .. style.paint("bold", who)
    local sent = event.dir == "send"
    if not sent and event.dir ~= "recv" then
        for index, line in ipairs(columns.wrap(word_of(event, layout.width), layout.width + 2)) do
            out[#out + 1] = (index == 1 and front or indent .. blank) .. style.paint("dim", line)
        end
        return
    end
    local color = sent and "cyan" or "yellow"
    local arrow = sent and style.symbols.sent or style.symbols.received
    local none = rep(" ", columns.width(arrow))
    for index, line in ipairs(event.data ~= nil and data_lines(event, layout.width, view) or { "" }) do
        out[#out + 1] = (index == 1 and front .. style.paint(color, arrow) or indent .. blank .. none) .. " " .. line
    end
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
    local style, indent = view.style, view.indent or ""
    local layout = layout_of(events, view)
    local title = "conversations:"
    if not layout.several then
        title = format("conversation with %s:", layout.names[events[1].conn or events[1].peer or "?"])
    end
    for _, line in ipairs(columns.wrap(title, (view.width or WIDTH) - #indent)) do
        out[#out + 1] = indent .. style.paint("bold", line)
    end
    if dropped and dropped > 0 then
        out[#out + 1] = indent .. style.paint("dim", format("  (%s not kept)", plural(dropped, "earlier event")))
    end
    local limit = view.events or #events
    local hidden = #events - limit
    local first = hidden > 1 and min(FIRST_EVENTS, floor(limit / 4)) or #events
    for index, event in ipairs(events) do
        if index <= first or index > first + hidden then
            add_event(event, layout, view, out)
        elseif index == first + 1 then
            out[#out + 1] = indent .. style.paint("dim", format("  ... %s ...", plural(hidden, "event")))
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
