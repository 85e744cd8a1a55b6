--- Printable forms of Lua values, for messages that people read.
---
--- What is printed may come from a hostile peer or have a hostile metatable. So nothing here raises, no metamethod
--- but `__tostring` is called (and that one guarded), every byte that a terminal could act upon or that an eye
--- could miss is escaped, and both the text and the work to make it are bounded.
local M = {}

-- Scripts may replace the library's functions while they run; messages have to come out all the same.
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gsub, sub = string.gsub, string.sub
local next, pcall, rawget, rawlen, tonumber, tostring, type = next, pcall, rawget, rawlen, tonumber, tostring, type
local concat, sort = table.concat, table.sort
local huge, math_type = math.huge, math.type
local codepoint, utf8_len = utf8.codepoint, utf8.len
local getmetatable = debug.getmetatable

--- Bounds of one printed value. All are optional.
---@class echolot.inspect.options
---@field max_length? integer bytes of text after which the rest is left out; closing marks come on top (4096)
---@field max_string? integer bytes of text for one string inside the value (1024)
---@field max_depth? integer levels of nested tables that are shown (8, at most 50)

local DEFAULT_LENGTH, DEFAULT_STRING, DEFAULT_DEPTH, DEEPEST = 4096, 1024, 8, 50

local KEYWORDS = {}
for word in
    ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")
        :gmatch "%a+"
do
    KEYWORDS[word] = true
end

-- Text ---------------------------------------------------------------------------------------------------------

local ASCII_ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ["\127"] = "\\x7f" }
for code = 0, 31 do
    ASCII_ESCAPES[char(code)] = ASCII_ESCAPES[char(code)] or format("\\x%02x", code)
end

-- Characters that show nothing, look like a plain space, turn the direction of what follows, or have no agreed
-- form: first and last code point, in order.
local INVISIBLE = {
    { 0x0080, 0x00A0 }, { 0x00AD, 0x00AD }, { 0x034F, 0x034F }, { 0x061C, 0x061C }, { 0x115F, 0x1160 },
    { 0x1680, 0x1680 }, { 0x17B4, 0x17B5 }, { 0x180B, 0x180F }, { 0x2000, 0x200F }, { 0x2028, 0x202F },
    { 0x205F, 0x206F }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xE000, 0xF8FF },
    { 0xFDD0, 0xFDEF }, { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB },
    { 0xFFFE, 0xFFFF }, { 0x1BCA0, 0x1BCA3 }, { 0x1D159, 0x1D159 }, { 0x1D173, 0x1D17A }, { 0xE0000, 0x10FFFF },
}

---@param text string one character
---@return string? escaped nil to leave it as it is
local function escape_character(text)
    local code = codepoint(text)
    for _, range in next, INVISIBLE do
        if code <= range[2] then
            return code >= range[1] and format("\\u{%x}", code) or nil
        end
    end
end

---@param text string
---@return string
local function escape_wide(text)
    local parts, count, start = {}, 0, 1
    while start <= #text do
        local valid, bad = utf8_len(text, start)
        local last = valid and #text or bad - 1
        if last >= start then
            count = count + 1
            parts[count] = gsub(sub(text, start, last), "[\xC2-\xF4][\x80-\xBF]+", escape_character)
        end
        if not valid then
            count = count + 1
            parts[count] = format("\\x%02x", byte(text, bad))
        end
        start = last + (valid and 1 or 2)
    end
    return concat(parts)
end

--- The text with every control byte, backslash, byte that is not UTF-8, and invisible character escaped as Lua
--- writes it. What comes back holds no line end. The work grows with the text: cut what is long before.
---@param text string
---@param quoted? boolean escape double quotes too
---@return string
function M.escape(text, quoted)
    if find(text, quoted and '[\0-\31\127\\"]' or "[\0-\31\127\\]") then
        text = gsub(text, "[\0-\31\127\\]", ASCII_ESCAPES)
        text = quoted and gsub(text, '"', '\\"') or text
    end
    return find(text, "[\128-\255]") and escape_wide(text) or text
end

local escape = M.escape

--- The place at or before `position` where a character begins, so that a cut does not split one.
---@param text string
---@param position integer
---@return integer
function M.boundary(text, position)
    for back = position, position - 3, -1 do
        local code = byte(text, back)
        if not code or code < 0x80 or code > 0xBF then
            return back < 1 and position or back
        end
    end
    return position
end

local boundary = M.boundary

---@param text string
---@param limit integer bytes that the escaped text may take
---@param quoted? boolean
---@return string escaped
---@return boolean whole
local function escape_within(text, limit, quoted)
    local length = #text
    local wanted = length
    if wanted > limit then
        wanted = boundary(text, limit + 1) - 1
    end
    local escaped = escape(sub(text, 1, wanted), quoted)
    -- Escapes take up to four times the room: shrink by what this prefix needed until it fits.
    while #escaped > limit and wanted > 0 do
        wanted = boundary(text, wanted * limit // #escaped + 1) - 1
        escaped = escape(sub(text, 1, wanted), quoted)
    end
    return escaped, wanted == length
end

--- A string in double quotes. One that is too long is cut, and says how long it is.
---@param text string
---@param limit? integer bytes shown (1024)
---@return string
function M.string(text, limit)
    local escaped, whole = escape_within(text, limit or DEFAULT_STRING, true)
    return whole and '"' .. escaped .. '"' or format('"%s"...(%d bytes)', escaped, #text)
end

--- The quotes that a text needs the fewest escapes in: single ones around a text with double ones only, such as JSON.
---@param text string
---@return string mark
function M.quote_for(text)
    return find(text, '"', 1, true) and not find(text, "'", 1, true) and "'" or '"'
end

--- A string in the quotes that suit it, cut as `string` does.
---@param text string
---@param limit? integer bytes shown (1024)
---@return string
function M.literal(text, limit)
    local mark = M.quote_for(sub(text, 1, limit or DEFAULT_STRING))
    local escaped, whole = escape_within(text, limit or DEFAULT_STRING, mark == '"')
    return whole and mark .. escaped .. mark or format("%s%s%s...(%d bytes)", mark, escaped, mark, #text)
end

--- A number as Lua would read it again: 1 and 1.0 stay apart, a float shows as many digits as it takes.
---@param number number
---@return string
function M.number(number)
    if math_type(number) == "integer" then
        return format("%d", number)
    elseif number ~= number then
        return "nan"
    elseif number == huge or number == -huge then
        return number > 0 and "inf" or "-inf"
    end
    local text
    for digits = 14, 17 do
        text = format("%." .. digits .. "g", number)
        if tonumber(text) == number then
            break
        end
    end
    return find(text, "[.eE]") and text or text .. ".0"
end

-- Keys ---------------------------------------------------------------------------------------------------------

local TYPE_RANK = { number = 1, string = 2, boolean = 3, table = 4, userdata = 5, ["function"] = 6, thread = 7 }

---@param a any
---@param b any
---@return boolean
local function key_before(a, b)
    local type_a, type_b = type(a), type(b)
    if type_a ~= type_b then
        return TYPE_RANK[type_a] < TYPE_RANK[type_b]
    elseif type_a == "number" or type_a == "string" then
        return a < b
    elseif type_a == "boolean" then
        return b and not a
    end
    return format("%p", a) < format("%p", b)
end

--- Sorts a list of table keys in place: numbers, strings, booleans, then the rest by address.
---@param keys any[]
---@return any[] keys the same list
function M.sort_keys(keys)
    sort(keys, key_before)
    return keys
end

---@param key any
---@return boolean
local function is_name(key)
    return type(key) == "string" and #key <= 100 and find(key, "^[%a_][%w_]*$") ~= nil and not KEYWORDS[key]
end

--- One step of a path into a table: `.name`, `[3]`, `["two words"]`.
---@param key any
---@return string
function M.path_step(key)
    if is_name(key) then
        return "." .. key
    end
    return "[" .. M.value(key, { max_length = 60, max_depth = 2 }) .. "]"
end

-- Values -------------------------------------------------------------------------------------------------------

--- True if the value's metatable says how it wants to be written.
---@param value any
---@return boolean
function M.has_tostring(value)
    local metatable = getmetatable(value)
    return type(metatable) == "table" and type(rawget(metatable, "__tostring")) == "function"
end

--- `tostring` that cannot fail: a value whose `__tostring` does is written by its address.
---@param value any
---@return string text not escaped
---@return boolean ok false if `__tostring` failed
function M.tostring(value)
    local ok, text = pcall(tostring, value)
    if ok then
        return text, true
    end
    return format("%s: %p", type(value), value), false
end

---@class echolot.inspect.state
---@field room integer bytes that may still be written
---@field count integer pieces so far
---@field open table<table, integer> tables being written, with their depth
---@field max_depth integer
---@field max_string integer

local put_value

---@param state echolot.inspect.state
---@param text string
local function put(state, text)
    state.count = state.count + 1
    state[state.count] = text
    state.room = state.room - #text
end

--- The keys outside the list part, sorted. Only as many are gathered as could be shown, since sorting them all
--- would let a peer's table decide how long a message takes.
---@param t table
---@param length integer
---@param limit integer
---@return any[] keys
---@return boolean whole
local function other_keys(t, length, limit)
    local keys, count = {}, 0
    for key in next, t do
        if math_type(key) ~= "integer" or key < 1 or key > length then
            if count == limit then
                return M.sort_keys(keys), false
            end
            count = count + 1
            keys[count] = key
        end
    end
    return M.sort_keys(keys), true
end

---@param state echolot.inspect.state
---@param key any
---@param depth integer
local function put_key(state, key, depth)
    if is_name(key) then
        put(state, key .. " = ")
    else
        put(state, "[")
        put_value(state, key, depth)
        put(state, "] = ")
    end
end

---@param state echolot.inspect.state
---@param t table
---@param depth integer
---@return boolean whole
local function put_fields(state, t, depth)
    local length = rawlen(t)
    for index = 1, length do
        if state.room <= 0 then
            return false
        end
        if index > 1 then
            put(state, ", ")
        end
        put_value(state, rawget(t, index), depth)
    end
    if state.room <= 0 then
        local _, whole = other_keys(t, length, 0)
        return whole
    end
    local keys, whole = other_keys(t, length, state.room // 4 + 1)
    for index, key in next, keys do
        if state.room <= 0 then
            return false
        end
        if index > 1 or length > 0 then
            put(state, ", ")
        end
        put_key(state, key, depth)
        put_value(state, rawget(t, key), depth)
    end
    return whole
end

---@param state echolot.inspect.state
---@param t table
---@param depth integer
local function put_table(state, t, depth)
    if state.open[t] then
        put(state, format("<cycle %d up>", depth - state.open[t]))
    elseif next(t) == nil then
        put(state, "{}")
    elseif depth > state.max_depth then
        put(state, "{...}")
    else
        state.open[t] = depth
        put(state, "{")
        local whole = put_fields(state, t, depth + 1)
        put(state, whole and "}" or ", ...}")
        state.open[t] = nil
    end
end

---@param state echolot.inspect.state
---@param value any
---@param depth integer
function put_value(state, value, depth)
    local kind = type(value)
    if kind == "string" then
        local limit = state.room < state.max_string and state.room or state.max_string
        put(state, M.string(value, limit > 8 and limit or 8))
    elseif kind == "number" then
        put(state, M.number(value))
    elseif kind == "nil" or kind == "boolean" then
        put(state, value and "true" or value == nil and "nil" or "false")
    elseif kind == "table" and not M.has_tostring(value) then
        put_table(state, value, depth)
    else
        local text, ok = M.tostring(value)
        if kind == "table" and not ok then
            return put_table(state, value, depth)
        end
        local escaped, whole = escape_within(text, state.max_string)
        put(state, whole and "<" .. escaped .. ">" or "<" .. escaped .. "...>")
    end
end

--- A count with its noun, as in a sentence.
---@param count integer
---@param noun string one that takes an s
---@return string
function M.plural(count, noun)
    return format("%d %s%s", count, noun, count == 1 and "" or "s")
end

--- The value as one line of text: strings quoted, tables with their list part first and then their keys in order,
--- whatever has a `__tostring` or is no plain data as `<text>`. Never raises.
---@param value any
---@param options? echolot.inspect.options
---@return string
function M.value(value, options)
    options = options or {}
    local max_length = options.max_length or DEFAULT_LENGTH
    local max_depth = options.max_depth or DEFAULT_DEPTH
    local state = {
        room = max_length,
        count = 0,
        open = {},
        max_depth = max_depth < DEEPEST and max_depth or DEEPEST,
        -- A value that is a string itself may take all the room; one among others leaves some to them.
        max_string = type(value) == "string" and max_length or options.max_string or DEFAULT_STRING,
    }
    put_value(state, value, 1)
    return concat(state, "", 1, state.count)
end

--- What any error value says. One whose `__tostring` raises does not hide that there was an error.
---@param err any
---@return string
function M.error(err)
    if type(err) == "string" then
        return err
    elseif err == nil then
        return "an error that is nil"
    end
    local ok, text = pcall(tostring, err)
    if ok and getmetatable(err) and type(text) == "string" then
        return text
    end
    return M.value(err)
end

return M
