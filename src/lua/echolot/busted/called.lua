--- Assertions about spies: the entries that `echolot.assert` has of them. Their subject is what `assert.spy(s)` names.
local arguments = require "echolot.busted.arguments"
local diff = require "echolot.diff"
local spy = require "echolot.busted.spy"

local M = {}

local format = string.format
local ipairs, math_type, tostring, type = ipairs, math.type, tostring, type
local pack = table.pack

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

---@param count number
---@return string
local function calls(count)
    return count == 0 and "no call" or count == 1 and "1 call" or format("%s calls", arguments.show_value(count))
end

local NEWEST = 5 -- calls that a message shows

--- The newest of the calls, a line each.
---@param records echolot.busted.record[]
---@param noun string
---@param lines echolot.diff.line[]
local function add_records(records, noun, lines)
    local first = #records > NEWEST and #records - NEWEST + 1 or 1
    if first > 1 then
        lines[1] = { kind = "note", text = format("  (%d earlier)", first - 1) }
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
---@param words {noun: string, item: string, with: string}
---@return table entry
local function entry_of_records(field, words)
    return {
        required = 0,
        signature = "...",
        takes_all = true,
        subject = subject_spy,
        test = function(subject, ...)
            local found, index = arguments.find(subject[field], arguments.pack(...))
            local results = pack(...)
            results.index = index
            return found ~= nil, results
        end,
        explain = function(negated, results, subject, ...)
            local expected, records, lines = arguments.pack(...), subject[field], {}
            local shown = arguments.show(expected, 200)
            if negated then
                return {
                    summary = format("expected no %s %s, but %s %d is one: %s", words.noun, words.with .. shown, words.noun,
                        results.index, arguments.show(records[results.index].vals)),
                    expected = "no " .. words.noun .. " " .. words.with .. shown,
                    actual = arguments.show(records[results.index].vals, 200),
                }
            end
            add_records(records, words.noun, lines)
            add_nearest(records, expected, words, lines)
            local newest = records[#records]
            return {
                summary = format("expected a %s %s, %s", words.noun, words.with .. shown,
                    newest and format("got %d other%s", #records, #records == 1 and "" or "s") or "got none"),
                expected = words.with .. shown,
                actual = newest and words.with .. arguments.show(newest.vals, 200) or "no " .. words.noun,
                diff = lines,
            }
        end,
    }
end

M.called_with = entry_of_records("calls", {
    noun = "call", item = "argument", with = "with ",
})
M.returned_with = entry_of_records("returnvals", {
    noun = "return", item = "result", with = "of ",
})

--- An assertion about how many calls there were, in words for the plain form and for the negated one.
---@param required integer 0 where the count may be missing: any call will do then
---@param plain string
---@param negated string
---@param holds fun(count: integer, expected?: number): boolean
---@return table entry
local function entry_of_count(required, plain, negated, holds)
    return {
        required = required,
        signature = required == 0 and "[times]" or "times",
        subject = subject_spy,
        message_from = 2,
        test = function(subject, expected)
            if expected ~= nil and not math_type(expected) then
                return nil, nil, "a number of calls is expected, got " .. arguments.show_value(expected)
            end
            return holds(#subject.calls, expected)
        end,
        explain = function(is_negated, _, subject, expected)
            local wanted = is_negated and "no call" or "a call"
            if expected ~= nil then
                local prefix = is_negated and negated or plain
                wanted = prefix .. (expected == 0 and prefix ~= "" and "0 calls" or calls(expected))
            end
            local lines = {}
            add_records(subject.calls, "call", lines)
            local got = #subject.calls == 0 and "none" or tostring(#subject.calls)
            return {
                summary = format("expected %s, got %s", wanted, got),
                expected = wanted, actual = calls(#subject.calls), diff = lines,
            }
        end,
    }
end

M.called = entry_of_count(0, "", "anything but ", function(count, expected)
    return expected == nil and count > 0 or count == expected
end)
M.called_at_least = entry_of_count(1, "at least ", "less than ", function(count, expected)
    return count >= expected
end)
M.called_at_most = entry_of_count(1, "at most ", "more than ", function(count, expected)
    return count <= expected
end)
M.called_more_than = entry_of_count(1, "more than ", "at most ", function(count, expected)
    return count > expected
end)
M.called_less_than = entry_of_count(1, "less than ", "at least ", function(count, expected)
    return count < expected
end)

return M
