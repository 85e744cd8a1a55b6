--- Texts by key and language, which registered assertions name as their messages.
local M = {}

local error, setmetatable, tostring, type = error, setmetatable, tostring, type
local format, max = string.format, math.max
local unpack = table.unpack

local texts = { en = {} }
local current, fallback = "en", "en"

---@param language string
function M:set_namespace(language)
    current = language
    texts[language] = texts[language] or {}
end

--- The language that is asked where the current one has no text.
---@param language string
function M:set_fallback(language)
    fallback = language
    texts[language] = texts[language] or {}
end

---@param key string
---@param text string with a %s for each argument
function M:set(key, text)
    texts[current][key] = text
end

--- The text of a key with its arguments put in; nil where there is none.
---@param key string
---@param arguments? table
---@return string?
local function say(_, key, arguments)
    if arguments ~= nil and type(arguments) ~= "table" then
        error("say: a table of arguments is expected, got " .. type(arguments), 2)
    end
    local text = texts[current][key]
    if text == nil then
        text = texts[fallback][key]
    end
    if text == nil then
        return nil
    end
    local count = arguments and max(arguments.n or 0, #arguments) or 0
    if count == 0 then
        return tostring(text)
    end
    local values = {}
    for index = 1, count do
        values[index] = tostring(arguments[index])
    end
    return format(tostring(text), unpack(values, 1, count))
end

-- Of the assertions that are built in, for registered ones that speak of failures like theirs.
for key, pair in next, {
    same = { "expected the same content: got %s, expected %s", "expected other content: got %s, not %s" },
    equals = { "expected equal values: got %s, expected %s", "expected unequal values: got %s, not %s" },
    near = { "expected a near number: got %s, expected %s +/- %s", "expected no near number: got %s, not %s +/- %s" },
    matches = { "expected a match: got %s, expected %s", "expected no match: got %s, not %s" },
    unique = { "expected unique values in %s", "expected a value twice in %s" },
    error = { "expected another error: got %s, expected %s", "expected no error, got %s" },
    truthy = { "expected a truthy value, got %s", "expected nil or false, got %s" },
    falsy = { "expected nil or false, got %s", "expected a truthy value, got %s" },
    called = { "expected %s calls, got %s", "expected not %s calls, but there were so many" },
    called_with = { "expected a call with other arguments: got %s, expected %s", "expected no such call: got %s, not %s" },
    returned_with = { "expected other results: got %s, expected %s", "expected no such results: got %s, not %s" },
    returned_arguments = { "expected %s values, got %s", "expected not %s values, got %s" },
    array_holes = { "expected a list with holes", "expected a list without holes, but there is one at %s" },
} do
    M:set("assertion." .. key .. ".positive", pair[1])
    M:set("assertion." .. key .. ".negative", pair[2])
end
M:set("assertion.internal.argtolittle", "%s needs at least %s arguments, got %s")
M:set("assertion.internal.badargtype", "argument %s of %s: expected %s, got %s")

return setmetatable(M, { __call = say })
