--- Assertions about spies: the entries that `echolot.assert` has of them. Their subject is what `assert.spy(s)` names.
local arguments = require "echolot.busted.arguments"
local diff = require "echolot.diff"
local spy = require "echolot.busted.spy"

local M = {}

local format = string.format
local ipairs, math_type, select, type = ipairs, math.type, select, type

local subject_spy = {
    field = "payload",
    check = function(subject)
        if spy.is_spy(subject) then
            return nil
        elseif type(subject) == "function" then
            return "the spy itself is needed, not the function that it calls"
        end
        return "say of which spy: assert.spy(s)"
    end,
}

---@param count integer
---@return string
local function times(count)
    return count == 0 and "never called" or count == 1 and "called once" or format("called %d times", count)
end

local NEWEST = 5 -- calls that a message shows

--- The newest of the calls, a line each.
---@param records echolot.busted.record[]
---@param noun string
---@param lines echolot.diff.line[]
local function add_records(records, noun, lines)
    local first = #records > NEWEST and #records - NEWEST + 1 or 1
    if first > 1 then
        lines[1] = { kind = "note", text = format("  (%d earlier ones)", first - 1) }
    end
    for index = first, #records do
        lines[#lines + 1] = { kind = "same", text = format("  %s %d: %s", noun, index,
            arguments.show(records[index].vals)) }
    end
end

--- Where the nearest record parts from what was expected.
---@param records echolot.busted.record[]
---@param expected echolot.busted.list
---@param words {noun: string, item: string}
---@param lines echolot.diff.line[]
local function add_nearest(records, expected, words, lines)
    local index, at = arguments.nearest(records, expected)
    if not index then
        return
    end
    local record = records[index]
    local place = format("%s %d", words.noun, index)
    if record.vals.n ~= expected.n then
        lines[#lines + 1] = { kind = "path", text = format("  %s has %d %s%s instead of %d", place, record.vals.n,
            words.item, record.vals.n == 1 and "" or "s", expected.n) }
    end
    if at and at <= record.vals.n and at <= expected.n then
        lines[#lines + 1] = { kind = "path", text = format("  %s, %s %d:", place, words.item, at) }
        local found, brief = diff.compare(expected[at], record.vals[at])
        if not brief or #found == 0 then
            lines[#lines + 1] = { kind = "expected", text = "  - " .. arguments.show_value(expected[at], 200) }
            lines[#lines + 1] = { kind = "actual", text = "  + " .. arguments.show_value(record.vals[at], 200) }
        end
        for _, line in ipairs(found) do
            lines[#lines + 1] = line
        end
        if arguments.was_changed(record, expected, at) then
            lines[#lines + 1] = { kind = "note", text = "    (the very table, but its content has changed since; "
                .. "match.is_ref compares identity)" }
        end
    end
end

---@param field "calls"|"returnvals"
---@param words {noun: string, item: string, none: string, with: string}
---@return table entry
local function entry_of_records(field, words)
    return {
        required = 0,
        signature = "...",
        takes_all = true,
        subject = subject_spy,
        test = function(subject, ...)
            local found, index = arguments.find(subject[field], arguments.pack(...))
            return found ~= nil, index and { ..., n = select("#", ...), index = index } or nil
        end,
        explain = function(negated, results, subject, ...)
            local expected, records, lines = arguments.pack(...), subject[field], {}
            local shown = arguments.show(expected, 200)
            if negated then
                return {
                    summary = format("expected no %s %s, but %s %d was such", words.noun, words.with .. shown, words.noun,
                        results.index),
                    expected = "no " .. words.noun .. " " .. words.with .. shown,
                    actual = arguments.show(records[results.index].vals, 200),
                }
            end
            add_records(records, words.noun, lines)
            add_nearest(records, expected, words, lines)
            local newest = records[#records]
            return {
                summary = format("expected a %s %s, %s", words.noun, words.with .. shown,
                    newest and format("got %d other%s", #records, #records == 1 and "" or "s") or words.none),
                expected = words.with .. shown,
                actual = newest and words.with .. arguments.show(newest.vals, 200) or words.none,
                diff = lines,
            }
        end,
    }
end

M.called_with = entry_of_records("calls", {
    noun = "call", item = "argument", with = "with ", none = "but it was never called",
})
M.returned_with = entry_of_records("returnvals", {
    noun = "return", item = "result", with = "of ", none = "but it never returned",
})

---@param signature string
---@param wanted string
---@param holds fun(count: integer, expected: integer): boolean
---@param required integer
---@return table entry
local function entry_of_count(signature, wanted, holds, required)
    return {
        required = required,
        signature = signature,
        subject = subject_spy,
        message_from = 2,
        test = function(subject, expected)
            if expected ~= nil and not math_type(expected) then
                return nil, nil, "a count is expected, got " .. arguments.show_value(expected)
            end
            return holds(#subject.calls, expected)
        end,
        explain = function(negated, _, subject, expected)
            local words
            if expected == nil then
                words = negated and "never called" or "called"
            else
                local exact = wanted == "" and math_type(expected) == "integer" and times(expected)
                words = (negated and "not " or "") .. (exact or format("called %s%s times", wanted, expected))
            end
            local lines = {}
            add_records(subject.calls, "call", lines)
            return {
                summary = format("expected it to be %s, but it was %s", words, times(#subject.calls)),
                expected = words,
                actual = times(#subject.calls),
                diff = lines,
            }
        end,
    }
end

M.called = entry_of_count("[times]", "", function(count, expected)
    return expected == nil and count > 0 or count == expected
end, 0)
M.called_at_least = entry_of_count("times", "at least ", function(count, expected)
    return count >= expected
end, 1)
M.called_at_most = entry_of_count("times", "at most ", function(count, expected)
    return count <= expected
end, 1)
M.called_more_than = entry_of_count("times", "more than ", function(count, expected)
    return count > expected
end, 1)
M.called_less_than = entry_of_count("times", "less than ", function(count, expected)
    return count < expected
end, 1)

return M
