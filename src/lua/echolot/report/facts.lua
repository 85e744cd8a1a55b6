--- What a test found out and what it did: its facts and its steps, line by line.
local base64 = require "echolot.report.base64"
local columns = require "echolot.report.columns"
local inspect = require "echolot.inspect"

local M = {}

local SHOWN_FACTS, SHOWN_STEPS = 50, 50
local LONGEST_VALUE, WIDEST_STEP = 400, 40

-- Bytes that JSON could not hold are bytes again.
local function restore(value, depth)
    if type(value) ~= "table" or depth > 8 then
        return value
    elseif type(value.base64) == "string" and next(value, (next(value))) == nil then
        return base64.decode(value.base64)
    end
    local out = {}
    for key, item in pairs(value) do
        out[key] = restore(item, depth + 1)
    end
    return out
end

local function fact_lines(facts, style, indent, out)
    local names = {}
    for name in pairs(facts) do
        names[#names + 1] = name
    end
    table.sort(names)
    for index = 1, math.min(#names, SHOWN_FACTS) do
        local text = ("%s = %s"):format(inspect.escape(names[index]:sub(1, 200)),
            inspect.value(restore(facts[names[index]], 0), { max_length = LONGEST_VALUE }))
        local lines = style.width and columns.wrap(text, math.max(style.width - #indent - 4, 16)) or { text }
        for at, line in ipairs(lines) do
            out[#out + 1] = indent .. (at == 1 and "  " or "    ") .. line
        end
    end
    if #names > SHOWN_FACTS then
        out[#out + 1] = ("%s  (%d more)"):format(indent, #names - SHOWN_FACTS)
    end
end

---@param seconds number
---@return string
local function time_text(seconds)
    return seconds < 9.9995 and ("%.1f ms"):format(seconds * 1000) or ("%.3f s"):format(seconds)
end

local function step_lines(steps, style, bad, indent, out)
    local widest, widest_time = 0, 0
    local limit = math.max(math.min(WIDEST_STEP, (style.width or 100) - #indent - 20), 8)
    local shown = {}
    for index = 1, math.min(#steps, SHOWN_STEPS) do
        local step = steps[index]
        local name, time = inspect.escape(tostring(step.name):sub(1, 200)), step.duration and time_text(step.duration) or "?"
        shown[index] = { name, time, step.failed and bad }
        widest = math.max(widest, math.min(columns.width(name), limit))
        widest_time = math.max(widest_time, #time)
    end
    for _, one in ipairs(shown) do
        local failed = one[3]
        local symbol = style.paint(failed and "red" or "green", style.symbols[failed and "fail" or "pass"])
        out[#out + 1] = ("%s  %s %s  %s"):format(indent, symbol, columns.fit(one[1], widest),
            style.paint("dim", ("%" .. widest_time .. "s"):format(one[2])))
    end
    if #steps > SHOWN_STEPS then
        out[#out + 1] = ("%s  (%d more)"):format(indent, #steps - SHOWN_STEPS)
    end
end

--- Appends the facts and the steps of a test to `out`, a blank line before each of the two.
---@param event table a test_end
---@param style echolot.style
---@param indent string
---@param out string[]
---@param close? boolean no blank lines
function M.lines(event, style, indent, out, close)
    local function heading(text)
        if not close then
            out[#out + 1] = ""
        end
        out[#out + 1] = indent .. style.paint("bold", text)
    end
    if type(event.facts) == "table" and next(event.facts) then
        heading "facts:"
        fact_lines(event.facts, style, indent, out)
    end
    if type(event.steps) == "table" and #event.steps > 0 then
        heading "steps:"
        local bad = event.status ~= "pass" and event.status ~= "skip"
        step_lines(event.steps, style, bad, indent, out)
    end
end

return M
