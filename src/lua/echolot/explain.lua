--- Why an expectation about a connection's bytes did not hold, as an error that explains itself: what was awaited,
--- what came, where the two part, and what had been said until then.
---
--- What came is a stranger's, up to a whole buffer of it: all that is shown is escaped, and both the text and the
--- work to make it are bounded.
local core = require "echolot.core"
local diff = require "echolot.diff"
local diff_string = require "echolot.diff.string"
local hexdump = require "echolot.hexdump"
local inspect = require "echolot.inspect"
local transcript = require "echolot.report.transcript"

local M = {}

local byte, find, format, gsub, lower, rep, sub =
    string.byte, string.find, string.format, string.gsub, string.lower, string.rep, string.sub
local max, min = math.max, math.min
local concat = table.concat
local ipairs, tostring, type = ipairs, tostring, type
local plural = inspect.plural

--- What an expectation knows when it does not hold.
---@class echolot.explain.fields
---@field op string "expect", "expect_line", ...
---@field kind? string the error's; default "mismatch"
---@field address? string
---@field peer? string the party's name
---@field awaited string how the matcher describes itself
---@field expected? string the literal bytes that were awaited, where it is literal
---@field frame? "line" where `expected` is the text of a line
---@field came? string the bytes that the match was tried on
---@field at? integer how many of them fit: the offset of the first one that cannot
---@field more? boolean further ones could still have come
---@field ended? "eof"|"reset" how the peer ended
---@field why? string a sentence for special cases
---@field alternatives? {awaited: string, why: string?, at: integer?}[]
---@field transcript? table[] events of this connection

local SHORT, AWAITED = 60, 300
local MOST_ALTERNATIVES = 12
local LINES, ROWS = 5, 4
local MESSAGE_EVENTS = 12
local PRINTED = 4096
local SOUGHT = 1024 -- a longer literal is not looked for in another case: the work is its length times the buffer's

---@param lines echolot.diff.line[]
---@param kind string
---@param text string
local function add(lines, kind, text)
    lines[#lines + 1] = { kind = kind, text = text }
end

-- What came --------------------------------------------------------------------------------------------------------

--- The part of what came that was held against `expected`: a literal line's text, or as much as the literal is long
--- and the line that this ends in.
---@param fields echolot.explain.fields
---@param came string
---@return string part
---@return integer rest bytes that came behind it
local function held_against(fields, came)
    local line_end = find(came, "\n", 1, true)
    if fields.frame == "line" then
        if not line_end then
            return came, 0
        end
        local last = line_end - 1
        if last > 0 and byte(came, last) == 13 then
            last = last - 1
        end
        return sub(came, 1, last), #came - line_end
    end
    local expected = fields.expected
    local from = max(diff.first_difference(expected, came) or 1, 1)
    if diff_string.has_lines(expected) then
        from = max(from, min(#expected, #came))
    end
    local stop = find(came, "\n", from, true) or #came
    return sub(came, 1, stop), #came - stop
end

--- What a sentence calls the bytes that came.
---@param came string
---@return string
local function quoted(came)
    return came == "" and "nothing" or inspect.literal(came, SHORT)
end

--- How the peer ended, after what.
---@param fields echolot.explain.fields
---@param came string
---@return string
local function ending(fields, came)
    local how = fields.ended == "reset" and "the peer reset the connection" or "the peer ended"
    if came == "" then
        return how .. " before anything came"
    end
    return format("%s after %s", how, quoted(came))
end

-- Where they part --------------------------------------------------------------------------------------------------

---@param expected string
---@param position integer
---@return string
local function place_of(expected, position)
    if diff_string.has_lines(expected) then
        return format("byte %d (line %d)", position, diff_string.line_of(expected, position))
    end
    return format("byte %d", position)
end

--- The summary for a literal: short ones stand in it, of long ones only where to look in the difference below.
---@param fields echolot.explain.fields
---@param part string
---@param awaited string
---@return string
local function literal_summary(fields, part, awaited)
    local expected = fields.expected
    local position = diff.first_difference(expected, part)
    local noun = fields.frame == "line" and "the line" or "what came"
    if not position then
        return format("expected %s, got %s", awaited, quoted(part))
    elseif position > #part and fields.frame ~= "line" then
        if fields.ended then
            return format("expected %s, but %s", awaited, ending(fields, part))
        end
        return format("expected %s, got only %s", awaited, quoted(part))
    end
    local place = place_of(expected, position)
    local where = position > #part and noun .. " ends before " .. place
        or position > #expected and noun .. " goes on at " .. place
        or "they part at " .. place
    if not diff_string.has_lines(expected) and #inspect.escape(sub(expected, 1, SHORT + 1)) <= SHORT then
        return format("expected %s, got %s: %s", awaited, quoted(part), where)
    end
    return format("expected %s: %s", plural(#expected, "byte"), position > #part and where
        or position > #expected and where or noun .. " parts from them at " .. place)
end

--- The difference for a literal.
---@param fields echolot.explain.fields
---@param part string
---@param rest integer
---@return echolot.diff.line[]
local function literal_lines(fields, part, rest)
    local lines = diff.compare(fields.expected, part)
    if fields.frame == "line" and find(fields.expected, "\n$") then
        add(lines, "note", "    (a line is compared without its end: leave it out)")
    end
    if rest > 0 and #lines > 0 then
        add(lines, "note", format("    (%s came after this)", plural(rest, "more byte")))
    end
    return lines
end

-- Matchers ---------------------------------------------------------------------------------------------------------

--- Rows of a hex dump around `position`, with a mark below the byte there.
---@param lines echolot.diff.line[]
---@param came string
---@param position? integer
---@param from? integer the first byte of a row
local function add_rows(lines, came, position, from)
    local per_row = hexdump.PER_ROW
    local marked_row = position and (min(position, #came) - 1) // per_row * per_row + 1 or 1
    local first = from or max(1, marked_row - (ROWS - 2) * per_row)
    if first > 1 then
        add(lines, "note", format("    (%s before this)", plural(first - 1, "byte")))
    end
    local last = min(#came, first + ROWS * per_row - 1)
    for start = first, last, per_row do
        add(lines, "actual", "  + " .. hexdump.row(came, start, last))
        if position and start == marked_row then
            add(lines, "note", rep(" ", 4 + hexdump.column(start, position)) .. "^^")
        end
    end
    if last < #came then
        add(lines, "note", format("    (%s after this)", plural(#came - last, "byte")))
    end
end

--- The lines of what came, with a mark below the byte at `position`.
---@param lines echolot.diff.line[]
---@param came string
---@param position? integer
---@param from? integer
local function add_text(lines, came, position, from)
    local start, shown = from or 1, 0
    if position then
        -- Lines that fit are folded up to the one before the place.
        start = diff_string.line_start(came, position)
        start = start > 1 and diff_string.line_start(came, start - 1) or start
        if start > 1 then
            add(lines, "note", format("    (%s before this)", plural(diff_string.line_of(came, start) - 1, "line")))
        end
    end
    while start <= #came and shown < LINES do
        local stop = find(came, "\n", start, true) or #came
        local inside = position and position >= start and position <= stop
        local before, after = diff_string.excerpt(sub(came, start, min(stop, start + (1 << 20))),
            inside and position - start + 1 or 1)
        add(lines, "actual", "  + " .. before .. after)
        if inside then
            add(lines, "note", rep(" ", 4 + diff_string.width(before)) .. "^")
        end
        start, shown = stop + 1, shown + 1
    end
    if start <= #came then
        add(lines, "note", format("    (%s after this)", plural(#came - start + 1, "byte")))
    end
end

--- What came, where the summary does not show it whole, or a byte of it is to be marked.
---@param lines echolot.diff.line[]
---@param came string
---@param at? integer
local function add_came(lines, came, at)
    local position = at and at > 0 and at < #came and at + 1 or nil
    local binary = hexdump.is_binary(came, position)
    if came == "" or not position and not binary and #inspect.escape(sub(came, 1, SHORT + 1)) <= SHORT then
        return
    end
    if binary then
        add_rows(lines, came, position)
    else
        add_text(lines, came, position)
    end
end

---@param text any
---@return string
local function clean(text)
    return (gsub(inspect.escape(sub(tostring(text), 1, AWAITED)), "\\\\", "\\"))
end

---@param lines echolot.diff.line[]
---@param alternatives table[]
---@return integer? at the furthest byte that one of them came to
local function add_alternatives(lines, alternatives)
    local furthest
    for index, one in ipairs(alternatives) do
        if index <= MOST_ALTERNATIVES then
            local why = one.why and clean(one.why) or one.at and format("it parts at byte %d", one.at + 1)
            add(lines, "expected", format("  - %d. %s%s", index, clean(one.awaited), why and ": " .. why or ""))
        end
        furthest = one.at and max(furthest or 0, one.at) or furthest
    end
    if #alternatives > MOST_ALTERNATIVES then
        add(lines, "expected", format("  - (%d more)", #alternatives - MOST_ALTERNATIVES))
    end
    return furthest
end

-- What is held against silence or an end: any byte is one too many.
local NOTHING_WANTED = { expect_eof = true, expect_silence = true, expect_reset = true }

---@param fields echolot.explain.fields
---@param came string
---@param awaited string
---@return string
local function matcher_summary(fields, came, awaited)
    if NOTHING_WANTED[fields.op] then
        if came == "" and fields.ended then
            return format("expected %s, but the peer %s", awaited,
                fields.ended == "reset" and "reset the connection" or "ended")
        elseif came ~= "" then
            return format("expected %s, got %s: %s", awaited, plural(#came, "byte"), quoted(came))
        end
    elseif fields.ended and fields.kind ~= "mismatch" then -- what does not match would not have, had more come
        return format("expected %s, but %s", awaited, ending(fields, came))
    end
    local summary = format("expected %s, got %s", awaited, quoted(came))
    if fields.at and fields.at > 0 and not fields.why then
        summary = format("%s: it cannot match from byte %d on", summary, fields.at + 1)
    end
    return summary
end

--- What was looked for everywhere, and came nowhere.
---@param fields echolot.explain.fields
---@param came string
---@param awaited string
---@return string
local function search_summary(fields, came, awaited)
    local without = came == "" and "nothing came" or format("%s came without it", plural(#came, "byte"))
    if fields.ended then
        return format("expected %s somewhere, but the peer %s: %s", awaited,
            fields.ended == "reset" and "reset the connection" or "ended", without)
    end
    return format("expected %s somewhere: %s", awaited, without)
end

--- The end of what came, which is what a reader looks at who has waited for something after it.
---@param lines echolot.diff.line[]
---@param came string
---@param expected? string
local function add_end(lines, came, expected)
    if hexdump.is_binary(came, #came) then
        return add_rows(lines, came, nil, max((#came - 1) // hexdump.PER_ROW - 2, 0) * hexdump.PER_ROW + 1)
    end
    local start = #came + 1
    for _ = 1, LINES do
        start = start > 1 and diff_string.line_start(came, start - 1) or start
    end
    if start > 1 then
        add(lines, "note", format("    (%s before this)", plural(start - 1, "byte")))
    end
    add_text(lines, came, nil, start)
    local sought = expected and expected ~= "" and #expected <= SOUGHT
    local elsewhere = sought and find(lower(came), lower(expected), 1, true)
    if elsewhere then
        add(lines, "note", format("    (but for upper and lower case it came at byte %d)", elsewhere))
    end
end

-- The error --------------------------------------------------------------------------------------------------------

---@param fields echolot.explain.fields
---@return string summary
---@return echolot.diff.line[] lines
local function explain(fields)
    local came, awaited = fields.came or "", clean(fields.awaited or "something else")
    if fields.alternatives then
        awaited = format("any of %d", #fields.alternatives) -- each is told below
    end
    local summary, lines
    if fields.op == "skip_until" then
        lines = {}
        summary = search_summary(fields, came, awaited)
        add_end(lines, came, fields.expected)
    elseif type(fields.expected) == "string" and not fields.alternatives then
        local part, rest = held_against(fields, came)
        summary, lines = literal_summary(fields, part, awaited), literal_lines(fields, part, rest)
    else
        lines = {}
        if fields.op == "expect_line" and find(came, "\n", 1, true) then
            came = sub(came, 1, find(came, "\n", 1, true))
        end
        local furthest = fields.alternatives and add_alternatives(lines, fields.alternatives)
        summary = matcher_summary(fields, came, awaited)
        add_came(lines, came, max(fields.at or 0, furthest or 0))
    end
    -- How the peer ended is told by now.
    if fields.why and not (fields.ended and find(fields.why, "^the peer ")) then
        summary = summary .. "\n" .. clean(fields.why)
    end
    return summary, lines
end

--- Makes the error of an expectation that did not hold; it is not raised here. Beyond the fields that every error has
--- it bears `summary` (what was awaited, what came, where they part), `diff` (lines as `echolot.diff` makes them), and
--- `expected` and `actual` as printable text. Its message is all of that and the newest part of the conversation.
---@param fields echolot.explain.fields
---@return any error_object
function M.mismatch(fields)
    local summary, lines = explain(fields)
    local parts = { summary }
    local kind = fields.kind or "mismatch"
    if kind ~= "mismatch" then
        parts[1] = gsub(summary, "\n", "; ") -- in one line, as every error that is none
    elseif #lines > 0 then
        parts[#parts + 1] = diff.text(lines)
    end
    if kind == "mismatch" and type(fields.transcript) == "table" and #fields.transcript > 0 then
        parts[#parts + 1] = transcript.text(fields.transcript, { events = MESSAGE_EVENTS, head = 4, tail = 1 })
    end
    return core.error.new {
        kind = kind, op = fields.op, address = fields.address, peer = fields.peer,
        message = concat(parts, "\n"), summary = summary, diff = lines,
        expected = fields.expected and inspect.string(fields.expected, PRINTED) or clean(fields.awaited or ""),
        actual = fields.came and inspect.string(fields.came, PRINTED) or nil,
        received = fields.came,
    }
end

return M
