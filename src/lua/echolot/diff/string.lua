--- How two strings differ, as lines of plain text: by byte where each is one line, else by line.
---
--- Common parts are folded and what is long is cut around the place that matters. Either string may be what a
--- hostile peer sent: all of it is escaped, and past finding the differences the work is bounded.
local align = require "echolot.diff.align"
local diff_hints = require "echolot.diff.hints"
local columns = require "echolot.report.columns"
local hexdump = require "echolot.hexdump"
local inspect = require "echolot.inspect"

local M = {}

local byte, find, format, gsub, rep, sub = string.byte, string.find, string.format, string.gsub, string.rep, string.sub
local max, min = math.max, math.min
local next = next
local escape, boundary, plural = inspect.escape, inspect.boundary, inspect.plural

---@class echolot.diff.line
---@field kind "same"|"expected"|"actual"|"note"|"path"
---@field text string one line, indented and marked with `-` or `+` so that it reads well without colour

-- Limits of what is shown: bytes of a line around the place that matters, equal lines around unequal ones, lines
-- that are aligned and shown, bytes around a difference in hex.
local BEFORE, AFTER = 40, 60
local CONTEXT = 3
local LCS_LINES = 256
local HUNK_LINES, SHOWN_LINES = 12, 60
local HEX_BEFORE, HEX_AFTER = 8, 8

---@param lines echolot.diff.line[]
---@param kind string
---@param text string
local function add(lines, kind, text)
    lines[#lines + 1] = { kind = kind, text = text }
end

-- Where they part -----------------------------------------------------------------------------------------

--- How many bytes two strings have in common, from `at(i, j)`, which gives the same stretch of either. Whole
--- stretches are compared first, since that is a memcmp where a loop over bytes would take ages.
---@param limit integer
---@param same fun(first: integer, last: integer): boolean
---@return integer
local function common_length(limit, same)
    local known, step = 0, 4096
    while known < limit and same(known + 1, min(known + step, limit)) do
        known = min(known + step, limit)
    end
    local bad = min(known + step, limit)
    while known < bad do
        local middle = (known + bad + 1) // 2
        if same(known + 1, middle) then
            known = middle
        else
            bad = middle - 1
        end
    end
    return known
end

---@param a string
---@param b string
---@return integer count
local function common_prefix(a, b)
    return common_length(min(#a, #b), function(first, last)
        return sub(a, first, last) == sub(b, first, last)
    end)
end

---@param a string
---@param b string
---@param limit integer
---@return integer count
local function common_suffix(a, b, limit)
    return common_length(limit, function(first, last)
        return sub(a, -last, -first) == sub(b, -last, -first)
    end)
end

--- The first byte at which two strings part, or nil if they are equal.
---@param a string
---@param b string
---@return integer?
function M.first_difference(a, b)
    return a ~= b and common_prefix(a, b) + 1 or nil
end

---@param text string
---@param last integer
---@return integer count of line ends in the first `last` bytes
local function count_line_ends(text, last)
    local _, count = gsub(sub(text, 1, last), "\n", "\n")
    return count
end

--- The number of the line that `position` stands in.
---@param text string
---@param position integer
---@return integer
function M.line_of(text, position)
    return count_line_ends(text, position - 1) + 1
end

--- The start of the line that `position` stands in.
---@param text string
---@param position integer
---@return integer
function M.line_start(text, position)
    local start = position
    while start > 1 and byte(text, start - 1) ~= 10 do
        start = start - 1
    end
    return start
end

local line_start = M.line_start

--- True if the text has more than one line; a line end at its end does not count.
---@param text string
---@return boolean
function M.has_lines(text)
    local found = find(text, "\n", 1, true)
    return found ~= nil and found < #text
end

local has_lines = M.has_lines

-- One line ------------------------------------------------------------------------------------------------

--- A last blank would be lost to the eye. The other control bytes are escaped anyway.
---@param escaped string
---@return string
local function mark_last_blank(escaped)
    return sub(escaped, -1) == " " and sub(escaped, 1, -2) .. "\\x20" or escaped
end

--- A stretch of a line around `position`, escaped, with what was left out on either side told by its length.
---@param text string
---@param position integer
---@return string before the place
---@return string after
function M.excerpt(text, position)
    position = boundary(text, position)
    local first, last = 1, #text
    local left, right = "", ""
    if position > BEFORE + 20 then
        first = boundary(text, position - BEFORE)
        left = format("<%s>", plural(first - 1, "byte"))
    end
    if last - position > AFTER + 20 then
        last = boundary(text, position + AFTER) - 1
        right = format("<%s>", plural(#text - last, "byte"))
    end
    local before = escape(sub(text, first, position - 1))
    local after = escape(sub(text, position, last))
    if right == "" then
        if after == "" then
            before = mark_last_blank(before)
        else
            after = mark_last_blank(after)
        end
    end
    return left .. before, after .. right
end

local excerpt = M.excerpt

--- A whole line for the report. A line end is not part of it.
---@param text string
---@return string
local function render_line(text)
    local _, shown = excerpt(text, 1)
    return shown
end

--- The columns of an escaped text.
M.width = columns.width

local width = M.width

--- The two lines under each other, and a mark below the first place where they part.
---@param lines echolot.diff.line[]
---@param expected string
---@param actual string
local function add_pair(lines, expected, actual)
    if expected == "" or actual == "" then
        add(lines, "expected", "  - " .. (expected == "" and "(empty)" or render_line(expected)))
        add(lines, "actual", "  + " .. (actual == "" and "(empty)" or render_line(actual)))
        return
    end
    local position = common_prefix(expected, actual) + 1
    local before, after = excerpt(expected, position)
    add(lines, "expected", "  - " .. before .. after)
    local before_actual, after_actual = excerpt(actual, position)
    add(lines, "actual", "  + " .. before_actual .. after_actual)
    add(lines, "note", rep(" ", 4 + min(width(before), width(before_actual))) .. "^")
end

-- Hex -----------------------------------------------------------------------------------------------------

--- True if the bytes cannot be read as text: control bytes, broken UTF-8, invisible characters.
---@param text string
---@return boolean
local function is_opaque(text)
    local escaped = gsub(escape(text), "\\\\", "")
    return find(escaped, "\\[xu]") ~= nil
end

---@param text string
---@param position integer
---@return string
local function around(text, position)
    return sub(text, boundary(text, max(position - HEX_BEFORE, 1)), boundary(text, position + HEX_AFTER) - 1)
end

--- The bytes around the first difference as rows of a hex dump.
---@param lines echolot.diff.line[]
---@param expected string
---@param actual string
---@param position integer
local function add_hex(lines, expected, actual, position)
    local first = max(position - HEX_BEFORE, 1)
    local per_row = min(max(#expected, #actual) - first + 1, hexdump.PER_ROW)
    local last = first + per_row - 1
    add(lines, "expected", "  - " .. hexdump.row(expected, first, last, { per_row = per_row }))
    add(lines, "actual", "  + " .. hexdump.row(actual, first, last, { per_row = per_row }))
    add(lines, "note", rep(" ", 4 + hexdump.column(first, position)) .. "^^")
end

-- Several lines -------------------------------------------------------------------------------------------

--- The lines from `first` to `last`, each with its end, as many as are wanted.
---@param text string
---@param first integer
---@param last integer
---@param limit integer
---@return string[] list
---@return integer next_position the byte after the last line taken
local function split(text, first, last, limit)
    local list, count = {}, 0
    while first <= last and count < limit do
        local stop = find(text, "\n", first, true)
        stop = stop and stop <= last and stop or last
        count = count + 1
        list[count] = sub(text, first, stop)
        first = stop + 1
    end
    return list, first
end

local MARK_KIND = { [" "] = "same", ["-"] = "expected", ["+"] = "actual" }

---@param lines echolot.diff.line[]
---@param mark string
---@param line string with its end
local function add_line(lines, mark, line)
    local ended = sub(line, -1) == "\n"
    add(lines, MARK_KIND[mark], "  " .. mark .. " " .. render_line(ended and sub(line, 1, -2) or line))
    if not ended and not lines.both_unended then
        add(lines, "note", "    (no line end here)")
    end
end

---@param lines echolot.diff.line[]
---@param count integer
local function add_fold(lines, count)
    if count > 0 then
        add(lines, "note", format("    (%s the same)", plural(count, "line")))
    end
end

---@param lines echolot.diff.line[]
---@param mark "-"|"+"
---@param list string[]
local function add_marked(lines, mark, list)
    for index = 1, min(#list, HUNK_LINES) do
        add_line(lines, mark, list[index])
    end
    if #list > HUNK_LINES then
        add(lines, MARK_KIND[mark], format("  %s (%s)", mark, plural(#list - HUNK_LINES, "more line")))
    end
end

--- One stretch of unequal lines: removed ones, then added ones. A lone pair gets a mark where its lines part.
---@param lines echolot.diff.line[]
---@param removed string[]
---@param added string[]
local function add_hunk(lines, removed, added)
    if #removed == 1 and #added == 1 then
        local old, new = removed[1], added[1]
        if sub(old, -1) == "\n" and sub(new, -1) == "\n" then
            return add_pair(lines, sub(old, 1, -2), sub(new, 1, -2))
        end
    end
    add_marked(lines, "-", removed)
    add_marked(lines, "+", added)
end

--- Adds a run of equal lines between changes, folded in its middle.
---@param lines echolot.diff.line[]
---@param run string[]
local function add_run(lines, run)
    local hidden = #run - 2 * CONTEXT
    for index, line in next, run do
        if hidden <= 1 or index <= CONTEXT or index > #run - CONTEXT then
            add_line(lines, " ", line)
        elseif index == CONTEXT + 1 then
            add_fold(lines, hidden)
        end
    end
end

--- Adds what `echolot.diff.align` found, runs of equal lines folded.
---@param lines echolot.diff.line[]
---@param steps echolot.diff.align.step[]
---@param old string[]
---@param new string[]
local function add_steps(lines, steps, old, new)
    local index, limit = 1, #lines + SHOWN_LINES
    while index <= #steps do
        if #lines >= limit then
            return add(lines, "note", format("    (%s more)", plural(#steps - index + 1, "line")))
        end
        local runs = { [" "] = {}, ["-"] = {}, ["+"] = {} }
        local same = steps[index].mark == " "
        while steps[index] and (steps[index].mark == " ") == same do
            local step = steps[index]
            local run = runs[step.mark]
            run[#run + 1] = step.i and old[step.i] or new[step.j]
            index = index + 1
        end
        if same then
            add_run(lines, runs[" "])
        else
            add_hunk(lines, runs["-"], runs["+"])
        end
    end
end

---@param lines echolot.diff.line[]
---@param expected string
---@param actual string
---@param position integer the first byte at which they part
local function add_lines(lines, expected, actual, position)
    -- A line that one side ends and the other goes on with belongs to the middle, whichever string is asked.
    local start = line_start(expected, position)
    local suffix = common_suffix(expected, actual, min(#expected, #actual) - start + 1)
    lines.both_unended = byte(expected, -1) ~= 10 and byte(actual, -1) ~= 10
    local line_end = suffix > 0 and find(expected, "\n", #expected - suffix + 1, true)
    suffix = line_end and #expected - line_end or 0

    local before_count = count_line_ends(expected, start - 1)
    local context = start
    for _ = 1, min(CONTEXT, before_count) do
        context = line_start(expected, context - 1)
    end
    add_fold(lines, before_count - min(CONTEXT, before_count))
    for _, line in next, (split(expected, context, start - 1, CONTEXT)) do
        add_line(lines, " ", line)
    end

    local old, old_next = split(expected, start, #expected - suffix, LCS_LINES)
    local new, new_next = split(actual, start, #actual - suffix, LCS_LINES)
    add_steps(lines, align.steps(old, new), old, new)
    local old_rest, new_rest = #expected - suffix - old_next + 1, #actual - suffix - new_next + 1
    if old_rest > 0 or new_rest > 0 then
        add(lines, "note", format("    (not compared further: %d more bytes expected, %d got)", old_rest, new_rest))
    end

    local after = #expected - suffix + 1
    local run, run_next = split(expected, after, #expected, CONTEXT)
    for _, line in next, run do
        add_line(lines, " ", line)
    end
    local rest = sub(expected, run_next)
    add_fold(lines, count_line_ends(rest, #rest) + (rest ~= "" and sub(rest, -1) ~= "\n" and 1 or 0))
    lines.both_unended = nil
end

---@param expected string
---@param actual string
---@param position integer
---@param binary? boolean
---@return string
local function describe_place(expected, actual, position, binary)
    local place = format("byte %d", position)
    if not binary and (has_lines(expected) or has_lines(actual)) then
        place = format("%s (line %d)", place, count_line_ends(expected, position - 1) + 1)
    end
    if position > #actual then
        return "the actual string ends before " .. place
    elseif position > #expected then
        return "the actual string goes on at " .. place
    end
    return "they part at " .. place
end

--- How two strings differ: lines for the report, and the same in a few words (nil if they are equal).
---@param expected string
---@param actual string
---@return echolot.diff.line[] lines
---@return string? brief
function M.compare(expected, actual)
    local lines = {}
    local position = M.first_difference(expected, actual)
    if not position then
        return lines, nil
    end
    if hexdump.is_binary(expected, position) or hexdump.is_binary(actual, position) then
        add_hex(lines, expected, actual, position)
        return lines, describe_place(expected, actual, position, true)
    elseif has_lines(expected) or has_lines(actual) then
        add_lines(lines, expected, actual, position)
    else
        add_pair(lines, expected, actual)
    end
    local named = diff_hints.add(lines, expected, actual, position)
    if not named and (is_opaque(around(expected, position)) or is_opaque(around(actual, position))) then
        add_hex(lines, expected, actual, position)
    end
    return lines, describe_place(expected, actual, position)
end

return M
