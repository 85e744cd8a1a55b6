--- The catalogue of assertions: what each tests and how it explains a failure. `echolot.assert` gives them names.
---
--- What is asked about comes from outside and may have any type. A value that cannot be compared fails, plain and
--- negated alike; only the script's own mistakes (a broken pattern, no function to call) are told apart from that.
local called = require "echolot.busted.called"
local deep = require "echolot.deep"
local diff = require "echolot.diff"
local inspect = require "echolot.inspect"
local lists = require "echolot.busted.lists"
local raised = require "echolot.assert.raised"
local state = require "echolot.busted.state"

local M = {}

local find, format, match = string.find, string.format, string.match
local abs, math_type, tointeger, ult = math.abs, math.type, math.tointeger, math.ult
local next, pcall, rawequal, tonumber, tostring, type = next, pcall, rawequal, tonumber, tostring, type
local pack = table.pack
local getmetatable = debug.getmetatable

-- Printing ---------------------------------------------------------------------------------------------------------

local SHORT, LONG, FIELD = 60, 200, 4096

---@param value any
---@param limit? integer
---@return string
local function show(value, limit)
    return state.format(value) or inspect.value(value, { max_length = limit or LONG, max_depth = 6 })
end

---@param summary string
---@param expected string printable
---@param actual any
---@param lines? echolot.diff.line[]
---@return table fields
local function fields_of(summary, expected, actual, lines)
    return { summary = summary, expected = expected, actual = show(actual, FIELD), diff = lines }
end

--- "expected X, got Y" for one value held against a description of what it should have been.
---@param wanted string
---@param actual any
---@return table fields
local function wanted_but_got(wanted, actual)
    return fields_of(format("expected %s, got %s", wanted, show(actual)), wanted, actual)
end

---@param value any
---@return boolean
local function is_short(value)
    return #show(value, SHORT + 1) <= SHORT
end

--- Two values that should have been equal. Short ones stand in the summary; of long ones it only tells what is
--- needed to see where to look, since the difference below shows them.
---@param expected any
---@param actual any
---@return table fields
local function explain_difference(expected, actual)
    local lines, brief = diff.compare(expected, actual)
    local summary
    if brief == nil or lines[1] == nil or is_short(expected) and is_short(actual) then
        local one, other = show(expected), show(actual)
        summary = format("expected %s, got %s%s", one, other, brief and ": " .. brief or "")
        if one == other and not brief then
            summary = summary .. ": they only look the same"
        end
    elseif type(expected) == "string" then
        summary = format("expected %d bytes, got %d: %s", #expected, #actual, brief)
    else
        summary = "expected the same content: " .. brief
    end
    return { summary = summary, expected = show(expected, FIELD), actual = show(actual, FIELD), diff = lines }
end

-- Equality ---------------------------------------------------------------------------------------------

--- One assertion. `test` gets the arguments and returns whether it holds (nil: the actual value cannot be asked, so
--- that neither the plain nor the negated form holds), then a packed list of results in place of the arguments,
--- then, for a mistake of the script's, what is wrong. `explain` gets whether the form is negated, that list and
--- the arguments, and returns the failure's fields.
---@class echolot.assert.entry
---@field required integer arguments that must be there
---@field signature string
---@field test fun(...): boolean?, table?, string?
---@field explain fun(negated: boolean, results: table?, ...): table
---@field message_from? integer first argument that may be the message; default: the one after the required
---@field message_is_text? boolean whether a table there is no message
---@field spelling? string the name with its usual words; default: "is_" and the name
---@field negation? string another entry that stands for the negated form
---@field takes_all? boolean whether all its arguments mean something, so that none is the message
---@field subject? {field: string, check: fun(value: any): string?} what modifiers have to name before; it comes first

---@type table<string, echolot.assert.entry>
M.entries = {}

local entries = M.entries

entries.equal = {
    required = 2,
    signature = "expected, actual",
    spelling = "equal",
    test = function(expected, actual)
        return expected == actual
    end,
    explain = function(negated, _, expected, actual)
        if negated then
            return wanted_but_got("anything but " .. show(expected), actual)
        elseif type(expected) == "table" and type(actual) == "table" then
            local ok, same = pcall(deep.equal, expected, actual)
            if ok and same then
                return fields_of(format("expected the very table %s, got another one with the same content "
                    .. "(same compares content)", show(expected, SHORT)), show(expected, FIELD), actual)
            end
        end
        return explain_difference(expected, actual)
    end,
}

entries.same = {
    required = 2,
    signature = "expected, actual",
    spelling = "same",
    test = deep.equal,
    explain = function(negated, _, expected, actual)
        if negated then
            return wanted_but_got("anything but the content of " .. show(expected), actual)
        end
        return explain_difference(expected, actual)
    end,
}

---@param name string
---@param wanted string
---@param test fun(value: any): boolean
---@param required? integer 1 where no value at all is a mistake, and does not count as nil
local function define_single(name, wanted, test, required)
    entries[name] = {
        required = required or 0,
        message_from = 2,
        signature = "value",
        test = test,
        explain = function(negated, _, value)
            return wanted_but_got((negated and "anything but " or "") .. wanted, value)
        end,
    }
end

define_single("true", "true", function(value)
    return rawequal(value, true)
end)
define_single("false", "false", function(value)
    return rawequal(value, false)
end)
define_single("nil", "nil", function(value)
    return value == nil
end)
define_single("truthy", "a truthy value", function(value)
    return not not value
end, 1)
define_single("falsy", "nil or false", function(value)
    return not value
end, 1)
for _, name in next, { "string", "number", "table", "function", "boolean", "userdata", "thread" } do
    define_single(name, name == "userdata" and name or "a " .. name, function(value)
        return type(value) == name
    end)
end

-- Strings ----------------------------------------------------------------------------------------------

--- The text to match: a string, a number, or what has a `__tostring` of its own.
---@param value any
---@return string?
local function as_text(value)
    if type(value) == "string" then
        return value
    elseif type(value) == "number" then
        return tostring(value)
    elseif inspect.has_tostring(value) then
        local text, ok = inspect.tostring(value)
        return ok and text or nil
    end
end

--- The optional arguments of a match. What is text is the message already.
---@param init any
---@param plain any
---@return integer? init nil with a mistake
---@return boolean plain
local function match_options(init, plain)
    if init == nil or type(init) == "string" or inspect.has_tostring(init) then
        init = 1
    end
    return tointeger(init), plain and type(plain) ~= "string" or false
end

---@param ok boolean
---@return boolean ok
---@return table results
local function collect(ok, ...)
    return ok, pack(...)
end

---@param pattern any
---@param text string
---@param init any
---@param plain any
---@return boolean? held
---@return table? results the captures
---@return string? mistake
local function find_match(pattern, text, init, plain)
    if type(pattern) ~= "string" then
        return nil, nil, "the pattern must be a string, got " .. show(pattern)
    end
    local start, literal = match_options(init, plain)
    if not start then
        return nil, nil, "init must be a whole number, got " .. show(init)
    elseif literal then
        return find(text, pattern, start, true) ~= nil, { pattern, n = 1 }
    end
    local ok, results = collect(pcall(match, text, pattern, start))
    if not ok then
        return nil, nil, tostring(results[1])
    end
    return results[1] ~= nil, results
end

---@param pattern string
---@param init any
---@param plain any
---@return string
local function describe_pattern(pattern, init, plain)
    local start, literal = match_options(init, plain)
    return (literal and "with " or "matching ") .. show(pattern) .. (start ~= 1 and " from byte " .. start or "")
end

entries.matches = {
    required = 2,
    signature = "pattern, actual [, init [, plain]]",
    spelling = "matches",
    test = function(pattern, actual, init, plain)
        local text = as_text(actual)
        local held, results, mistake = find_match(pattern, text or "", init, plain)
        if text == nil then
            held = nil
        end
        return held, held and results or nil, mistake
    end,
    explain = function(negated, _, pattern, actual, init, plain)
        return wanted_but_got((negated and "a string not " or "a string ")
            .. describe_pattern(pattern, init, plain), actual)
    end,
}

---@param needle any
---@param list table
---@return boolean
local function list_contains(needle, list)
    for _, value in next, list do
        if deep.equal(needle, value) then
            return true
        end
    end
    return false
end

entries.contains = {
    required = 2,
    signature = "needle, haystack",
    spelling = "contains",
    test = function(needle, haystack)
        if type(haystack) == "table" then
            return list_contains(needle, haystack)
        elseif type(haystack) ~= "string" then
            return nil
        elseif type(needle) ~= "string" and type(needle) ~= "number" then
            return nil, nil, "what a string contains must be a string, got " .. show(needle)
        end
        return find(haystack, needle, 1, true) ~= nil
    end,
    explain = function(negated, _, needle, haystack)
        local holder = type(haystack) == "string" and "a string" or type(haystack) == "table" and "a table"
            or "a string or table"
        return wanted_but_got(format("%s %s %s", holder, negated and "without" or "with", show(needle)), haystack)
    end,
}

-- Numbers and lists ------------------------------------------------------------------------------------

---@param expected number
---@param actual number
---@param tolerance number
---@return boolean
local function is_near(expected, actual, tolerance)
    if math_type(expected) == "integer" and math_type(actual) == "integer" and math_type(tolerance) == "integer" then
        -- The distance of two integers fits an unsigned one, where a sum with the tolerance could overflow.
        local distance = expected > actual and expected - actual or actual - expected
        return not ult(tolerance, distance)
    end
    return actual >= expected - tolerance and actual <= expected + tolerance
end

entries.near = {
    required = 3,
    signature = "expected, actual, tolerance",
    spelling = "near",
    test = function(expected, actual, tolerance)
        local center, number, width = tonumber(expected), tonumber(actual), tonumber(tolerance)
        if not center then
            return nil, nil, "expected must be a number, got " .. show(expected)
        elseif not width or width < 0 or width ~= width then
            return nil, nil, "the tolerance must be a number of at least 0, got " .. show(tolerance)
        elseif not number then
            return nil
        end
        return is_near(center, number, width)
    end,
    explain = function(negated, _, expected, actual, tolerance)
        local wanted = format("%s +/- %s", show(tonumber(expected)), show(tonumber(tolerance)))
        local fields = wanted_but_got(negated and "a number outside " .. wanted or wanted, actual)
        local number = tonumber(actual)
        if number and not negated then
            fields.summary = format("%s (off by %.6g)", fields.summary, abs(number - (tonumber(expected) + 0.0)))
        end
        return fields
    end,
}

---@param value any
---@return boolean
local function has_eq(value)
    local metatable = getmetatable(value)
    return type(metatable) == "table" and metatable.__eq ~= nil
end

--- Looks for two keys with equal values. Most values can be told apart by a set; only those whose equality takes
--- more than identity are compared with each other.
---@param list table
---@param deeply boolean
---@return table? pair two keys and the value
local function find_repeated(list, deeply)
    local holders, slow, slow_keys, count = {}, {}, {}, 0
    for key, value in next, list do
        if holders[value] ~= nil and value == value then
            return { holders[value], key, value }
        elseif value == value then
            holders[value] = key
        end
        if deeply and type(value) == "table" or has_eq(value) then
            for index = 1, count do
                local other = slow[index]
                if value == other or deeply and deep.equal(value, other) then
                    return { slow_keys[index], key, value }
                end
            end
            count = count + 1
            slow[count], slow_keys[count] = value, key
        end
    end
end

--- Whether one of two arguments, between which a message may stand, asks for a deep comparison.
---@param deeply any
---@param message any
---@return boolean
local function is_deep(deeply, message)
    return rawequal(deeply, true) or type(deeply) ~= "boolean" and rawequal(message, true)
end

entries.unique = {
    required = 1,
    signature = "list [, deep]",
    test = function(list, ...)
        if type(list) ~= "table" then
            return nil
        end
        return find_repeated(list, is_deep(...)) == nil
    end,
    explain = function(negated, _, list, ...)
        if type(list) ~= "table" then
            return wanted_but_got("a table", list)
        elseif negated then
            return wanted_but_got("a value that is there twice", list)
        end
        local pair = find_repeated(list, is_deep(...))
        return fields_of(format("expected unique values, but %s and %s are both %s", inspect.path_step(pair[1]),
            inspect.path_step(pair[2]), show(pair[3])), "unique values", list)
    end,
}

-- Errors -----------------------------------------------------------------------------------------------

local NOT_CALLABLE = "the first argument must be a function, got "

---@param wanted string
---@return table fields
local function none_raised(wanted)
    return { summary = format("expected %s, but none was raised", wanted), expected = wanted, actual = "no error" }
end

entries.error = {
    required = 1,
    signature = "f [, expected]",
    spelling = "has_error",
    negation = "no_error",
    message_from = 3,
    test = function(f, expected)
        if not raised.is_callable(f) then
            return nil, nil, NOT_CALLABLE .. show(f)
        end
        local outcome = raised.call(f)
        outcome[1], outcome.n = outcome.text or outcome.value, 1
        return not outcome.ok and (expected == nil or raised.equals(outcome, expected)), outcome
    end,
    explain = function(_, outcome, _, expected)
        local wanted = expected == nil and "an error" or "the error " .. show(expected)
        if outcome.ok then
            return none_raised(wanted)
        end
        local lines, brief = raised.compare(outcome, expected)
        local fields = wanted_but_got(wanted, outcome[1])
        fields.summary = fields.summary .. (brief and ": " .. brief or "")
        fields.diff = lines
        return fields
    end,
}

entries.no_error = {
    required = 1,
    signature = "f [, expected]",
    spelling = "has_no_error",
    negation = "error",
    message_from = 2,
    message_is_text = true,
    test = function(f, expected, message)
        if not raised.is_callable(f) then
            return nil, nil, NOT_CALLABLE .. show(f)
        end
        local outcome = raised.call(f)
        -- A lone string is a message: nobody who writes one wants the other errors to pass.
        if outcome.ok or expected == nil or type(expected) == "string" and message == nil then
            return outcome.ok, outcome
        end
        return not raised.equals(outcome, expected), outcome
    end,
    explain = function(_, outcome)
        return wanted_but_got("no error", outcome.value)
    end,
}

entries.error_matches = {
    required = 2,
    signature = "f, pattern [, init [, plain]]",
    spelling = "error_matches",
    test = function(f, pattern, init, plain)
        if not raised.is_callable(f) then
            return nil, nil, NOT_CALLABLE .. show(f)
        end
        local _, _, mistake = find_match(pattern, "", init, plain)
        if mistake then
            return nil, nil, mistake
        end
        local outcome = raised.call(f)
        -- Of a string without its position: what a path looks like is no matter of the error's.
        local texts = outcome.text and { outcome.text } or raised.texts(outcome)
        for _, text in next, outcome.ok and {} or texts do
            local held, results = find_match(pattern, text, init, plain)
            if held then
                results.outcome = outcome
                return true, results
            end
        end
        return false, outcome
    end,
    explain = function(negated, outcome, _, pattern, init, plain)
        local wanted = (negated and "no error " or "an error ") .. describe_pattern(pattern, init, plain)
        outcome = outcome.outcome or outcome
        if outcome.ok then
            return none_raised(wanted)
        end
        return wanted_but_got(wanted, outcome.text or outcome.value)
    end,
}

-- Spies and lists --------------------------------------------------------------------------------------

for _, more in next, { called, lists } do
    for name, entry in next, more do
        entries[name] = entry
    end
end

return M
