--- How two values differ, as lines of plain text for a failure report: tables by the path of each key, strings by
--- `echolot.diff.string`.
---
--- Either side may be what a hostile peer sent, so what is shown and the work past the comparison are bounded.
--- Nothing here raises, whatever a metatable does.
local deep = require "echolot.deep"
local diff_list = require "echolot.diff.list"
local diff_string = require "echolot.diff.string"
local inspect = require "echolot.inspect"

local M = {}

local format = string.format
local min = math.min
local math_type = math.type
local next, pcall, rawequal, rawget, rawlen, type = next, pcall, rawequal, rawget, rawlen, type
local concat = table.concat
local plural = inspect.plural

local SHORT = 60 -- a string up to this long is shown in one piece within a table's difference
local SHOWN_KEYS, COUNTED_KEYS = 20, 1000
local UNSIFTED = 1000 -- keys of one table that are looked into without a deep comparison first
local PAIRS = 200000 -- pairs of fields that are looked into in all
local PATH_STEPS = 12
local ALIGNED, ALIGNED_DEPTH = 200, 12 -- lists whose items are put beside each other, and how far in

---@param lines echolot.diff.line[]
---@param kind string
---@param text string
local function add(lines, kind, text)
    lines[#lines + 1] = { kind = kind, text = text }
end

-- Tables -----------------------------------------------------------------------------------------------------------

---@class echolot.diff.path
---@field parent? echolot.diff.path
---@field key any
---@field depth integer
---@field got_at? integer where an item of a list stands in the actual one, if it is elsewhere

---@param path echolot.diff.path
---@param got? boolean as the actual table has it, where items of lists have moved
---@return string
local function path_text(path, got)
    local steps, left_out = {}, path.depth - PATH_STEPS
    local node = path
    for index = min(path.depth, PATH_STEPS), 1, -1 do
        steps[index] = inspect.path_step(got and node.got_at or node.key)
        node = node.parent
    end
    return (left_out > 0 and format("<%d keys>", left_out) or "") .. concat(steps)
end

---@param a any
---@param b any
---@return boolean
local function equals(a, b)
    return a == b
end

--- Whether two fields are equal without looking into tables. A metamethod that raises counts as a difference.
---@param a any
---@param b any
---@return boolean
local function plainly_equal(a, b)
    if rawequal(a, b) then
        return true
    elseif type(a) == "table" and type(b) == "table" and not deep.has_common_eq(a, b) then
        return false
    end
    local ok, equal = pcall(equals, a, b)
    return ok and equal
end

--- Whether a pair of fields is worth a place among the `count` that are to be looked into. The first ones only have
--- to be not plainly equal. Past these the tables among them are compared deeply first, so that in a list of a
--- million equal records the one that differs is found without keeping all of them.
---@param a any
---@param b any
---@param count integer
---@return boolean
local function may_differ(a, b, count)
    if plainly_equal(a, b) then
        return false
    elseif count < UNSIFTED or type(a) ~= "table" or type(b) ~= "table" then
        return true
    end
    local ok, equal = pcall(deep.equal, a, b)
    return not (ok and equal)
end

--- The keys whose fields may differ, sorted.
---@param expected table
---@param actual table
---@return any[] keys
---@return integer count
local function candidates(expected, actual)
    local keys, count, limit = {}, 0, UNSIFTED + COUNTED_KEYS + 1
    for key, value in next, expected do
        if count < limit and may_differ(value, rawget(actual, key), count) then
            count = count + 1
            keys[count] = key
        end
    end
    for key in next, actual do
        if count < limit and rawget(expected, key) == nil then
            count = count + 1
            keys[count] = key
        end
    end
    return inspect.sort_keys(keys), count
end

--- Whether a key belongs to the list part of either table.
---@param key any
---@param one table
---@param other table
---@return boolean
local function is_item(key, one, other)
    return math_type(key) == "integer" and key >= 1 and (key <= rawlen(one) or key <= rawlen(other))
end

---@class echolot.diff.finding
---@field path echolot.diff.path
---@field expected any
---@field actual any

---@param seen table<table, table<table, boolean>>
---@param a table
---@param b table
---@return boolean
local function already(seen, a, b)
    local partners = seen[a] or {}
    seen[a] = partners
    local met = partners[b]
    partners[b] = true
    return met == true
end

---@param a any
---@param b any
---@param depth integer
---@return boolean
local function is_compared_by_fields(a, b, depth)
    return type(a) == "table" and type(b) == "table" and (depth == 0 or not deep.has_common_eq(a, b))
end

---@param one table
---@param other table
---@param key any
---@param path echolot.diff.path
---@return echolot.diff.finding
local function field_pair(one, other, key, path)
    return {
        expected = rawget(one, key), actual = rawget(other, key),
        path = { parent = path, key = key, depth = path.depth + 1 },
    }
end

--- The pairs of fields of two tables that may differ: those of their lists as they belong together, then the others.
---@param one table
---@param other table
---@param path echolot.diff.path
---@param work {aligned: integer}
---@return echolot.diff.finding[]
---@return integer count
local function children_of(one, other, path, work)
    local listed
    if work.aligned < ALIGNED and path.depth < ALIGNED_DEPTH then
        work.aligned = work.aligned + 1
        listed = diff_list.pairs(one, other)
    end
    local children, count = {}, 0
    for _, pair in next, listed or {} do
        local i, j = pair.i, pair.j
        count = count + 1
        children[count] = {
            expected = i and rawget(one, i), actual = j and rawget(other, j),
            path = { parent = path, key = i or j, depth = path.depth + 1, got_at = i and j and i ~= j and j or nil },
        }
    end
    local keys, key_count = candidates(one, other)
    for index = 1, key_count do
        local key = keys[index]
        if not listed or not is_item(key, one, other) then
            count = count + 1
            children[count] = field_pair(one, other, key, path)
        end
    end
    return children, count
end

--- Walks both tables side by side, on a stack of its own since the nesting may be deeper than Lua's.
---@param expected table
---@param actual table
---@return echolot.diff.finding[] findings the first few
---@return integer total counted up to a limit
---@return boolean whole false if the walk ended before everything was compared
local function walk(expected, actual)
    local findings, total, budget, work = {}, 0, PAIRS, { aligned = 0 }
    local seen, stack, top = {}, { { expected = expected, actual = actual, path = { depth = 0 } } }, 1
    while top > 0 do
        local pair = stack[top]
        stack[top], top = nil, top - 1
        local one, other, path = pair.expected, pair.actual, pair.path
        if is_compared_by_fields(one, other, path.depth) then
            if budget > 0 and not already(seen, one, other) then
                local children, count = children_of(one, other, path, work)
                budget = budget - count
                for index = count, 1, -1 do
                    top = top + 1
                    stack[top] = children[index]
                end
            end
        else
            total = total + 1
            if total <= SHOWN_KEYS then
                findings[total] = pair
            elseif total > COUNTED_KEYS then
                break
            end
        end
    end
    return findings, total, budget > 0
end

---@param lines echolot.diff.line[]
---@param expected any
---@param actual any
local function add_values(lines, expected, actual)
    local bounds = { max_length = 200 }
    local text_expected, text_actual = inspect.value(expected, bounds), inspect.value(actual, bounds)
    if expected ~= nil or actual == nil then
        add(lines, "expected", "    - " .. text_expected)
    end
    if actual ~= nil then
        add(lines, "actual", "    + " .. text_actual)
    end
    if expected ~= expected and actual ~= actual then
        add(lines, "note", "      (nan is not equal to itself)")
    elseif text_expected == text_actual then
        add(lines, "note", "      (they only look the same)")
    end
end

---@param text string
---@return boolean
local function fits_a_line(text)
    return #text <= SHORT and not diff_string.has_lines(text)
end

---@param lines echolot.diff.line[]
---@param finding echolot.diff.finding
local function add_finding(lines, finding)
    local expected, actual = finding.expected, finding.actual
    local note = expected == nil and ": not expected" or actual == nil and ": missing" or ""
    local path, got = path_text(finding.path), path_text(finding.path, true)
    if got ~= path then
        note = format(" (got at %s)", got)
    end
    add(lines, "path", "  " .. path .. note)
    if type(expected) ~= "string" or type(actual) ~= "string" or fits_a_line(expected) and fits_a_line(actual) then
        return add_values(lines, expected, actual)
    end
    for _, line in next, (diff_string.compare(expected, actual)) do
        add(lines, line.kind, "  " .. line.text)
    end
end

--- How two tables differ in content: lines for the report, and the same in a few words (nil if they do not).
---@param expected table
---@param actual table
---@return echolot.diff.line[] lines
---@return string? brief
function M.tables(expected, actual)
    local lines = {}
    local findings, total, whole = walk(expected, actual)
    for _, finding in next, findings do
        add_finding(lines, finding)
    end
    if total > COUNTED_KEYS then
        add(lines, "note", "  (and many more)")
        return lines, format("they differ at more than %d keys", COUNTED_KEYS)
    elseif total > #findings then
        add(lines, "note", format("  (and %d more)", total - #findings))
    end
    if not whole then
        add(lines, "note", "  (not compared further)")
    end
    if total == 1 then
        return lines, "they differ at " .. path_text(findings[1].path)
    elseif total > 1 then
        return lines, "they differ at " .. plural(total, "key")
    end
    return lines, not whole and "they differ at a key too far in to be found" or nil
end

-- Any values -------------------------------------------------------------------------------------------------------

--- True if the two have the same content: see `echolot.deep`.
M.deep_equal = deep.equal

--- How two strings differ: see `echolot.diff.string`.
M.strings = diff_string.compare

--- The first byte at which two strings part, or nil if they are equal.
M.first_difference = diff_string.first_difference

--- How two values differ. There are lines only where a value's text alone does not show it: for two strings, and
--- for two tables. `brief` says it in a few words, nil where the values themselves do.
---@param expected any
---@param actual any
---@return echolot.diff.line[] lines
---@return string? brief
function M.compare(expected, actual)
    if type(expected) == "string" and type(actual) == "string" then
        return M.strings(expected, actual)
    elseif type(expected) == "table" and type(actual) == "table" then
        return M.tables(expected, actual)
    elseif expected ~= expected and actual ~= actual then
        return {}, "nan is not equal to itself"
    end
    return {}, nil
end

--- The lines as one text, without colour.
---@param lines echolot.diff.line[]
---@return string
function M.text(lines)
    local texts = {}
    for index, line in next, lines do
        texts[index] = line.text
    end
    return concat(texts, "\n")
end

return M
