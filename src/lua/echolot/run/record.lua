--- What of a test goes into its report: errors, transcripts and facts as plain JSON values.
local core = require "echolot.core"
local inspect = require "echolot.inspect"
local raised = require "echolot.assert.raised"

local M = {}

-- A test may have put stubs in the place of the library's functions.
local find, gmatch = string.find, string.gmatch
local getmetatable, pcall, tostring, type = getmetatable, pcall, tostring, type
local concat = table.concat

--- A traceback without the parts that are Echolot's own.
---@param text? string
---@return string?
function M.traceback(text)
    if not text then
        return nil
    end
    local kept = {}
    for line in gmatch(text, "[^\n]+") do
        if not find(line, "^%s*echolot/") and not find(line, "^%s*%[C%]: in [?i]")
            and not find(line, "^%s*%[C%]: in function 'error'") and not find(line, "^%s*%(%.%.%.tail calls") then
            kept[#kept + 1] = line
        end
    end
    return #kept > 1 and concat(kept, "\n") or nil
end

-- Of what a peer had sent when an error came, as many bytes go into its report.
local RECEIVED_MAX = 4096

--- The error of a test as a report has it.
---@param err any
---@param traceback? string
---@return table
function M.error(err, traceback)
    local out = { kind = "error", traceback = M.traceback(traceback) }
    out.message = inspect.error(err)
    if core.error.is(err) then
        local function text(value)
            return value ~= nil and tostring(value) or nil
        end
        out.kind, out.op, out.address, out.errno = err.kind, err.op, err.address, err.errno
        out.peer = text(err.peer)
        out.where = err.where
        out.expected, out.actual = text(err.expected), text(err.actual)
        out.diff = err.diff and #err.diff > 0 and err.diff or nil
        out.summary = err.summary
        if err.received and #err.received > 0 then
            out.received = M.data(err.received:sub(1, RECEIVED_MAX))
        end
    end
    return out
end

--- Bytes as a report carries them: text where it is plain, else base64.
---@param bytes string
---@return string|table
function M.data(bytes)
    if core.text.is_plain(bytes) then
        return bytes
    end
    return { base64 = core.text.base64(bytes) }
end

--- Seconds, to the microsecond: what is behind that is noise.
---@param s number
---@return number
function M.microseconds(s)
    return (s * 1e6 + 0.5) // 1 / 1e6
end

-- Bytes of transcript that one test's report holds at most; what came first is left out.
local TRANSCRIPT_MAX = 256 * 1024

--- The transcript of all connections of a scope, in order of time, its times counted from
--- `started`; and how many events are missing.
---@param scope userdata
---@param started number
---@return table[] events
---@return integer? dropped nil for none
function M.transcript(scope, started)
    local events, dropped = scope:transcript()
    for i, event in ipairs(events) do
        event.order = i
    end
    table.sort(events, function(a, b)
        return a.t < b.t or a.t == b.t and a.order < b.order
    end)
    local size, first = 0, #events + 1
    while first > 1 and size <= TRANSCRIPT_MAX do
        first = first - 1
        size = size + (events[first].data and #events[first].data or 0) + 64
    end
    local out = core.json.array {}
    for i = first, #events do
        local event = events[i]
        out[#out + 1] = {
            t = M.microseconds(math.max(0, event.t - started)), dir = event.dir,
            half = event.half,
            peer = event.peer or event.with or event.address, conn = event.conn,
            address = event.with or event.dir == "open" and event.peer and event.address or nil,
            datagram = event.datagram,
            data = event.data and M.data(event.data), unread = event.unread, omitted = event.omitted,
            omitted_after = event.omitted_after,
        }
    end
    dropped = dropped + first - 1
    return out, dropped > 0 and dropped or nil
end

local function usage(op, message)
    error(core.error.new { kind = "usage", op = op, message = message }, 0)
end

-- A key as JSON has it. A NUL ends a key in the library that writes it.
local function key_text(key)
    return (tostring(key):gsub("\0", "\\x00"))
end

--- A fact's name, checked.
function M.fact_name(name)
    if type(name) ~= "string" then
        usage("fact", "a name is expected first, got " .. type(name))
    end
    return key_text(name)
end

--- Checks what `step` was given.
function M.check_step(name, f)
    if type(name) ~= "string" and type(name) ~= "number" then
        usage("step", "a name is expected first, got " .. type(name))
    elseif not raised.is_callable(f) then
        usage("step", "a function is expected, got " .. type(f))
    end
end

local function is_list(t)
    local count = 0
    for _ in pairs(t) do
        count = count + 1
    end
    return count == #t
end

local copy

local function copy_list(list, depth)
    local out = {}
    for i, item in ipairs(list) do
        out[i] = copy(item, depth + 1)
    end
    return out
end

-- A table that is no list is an object, whatever its keys are, and loses none of them.
local function copy_object(object, depth)
    local out = {}
    for key, item in pairs(object) do
        if type(key) ~= "string" and type(key) ~= "number" then
            usage("fact", "a key is neither string nor number")
        end
        local text = key_text(key)
        if out[text] ~= nil then
            usage("fact", ("two keys would both be %q"):format(text))
        end
        out[text] = copy(item, depth + 1)
    end
    return out
end

-- A copy, so that what the script does with its table later does not change the report.
function copy(value, depth)
    local kind = type(value)
    if kind == "string" then
        return M.data(value)
    elseif kind == "number" or kind == "boolean" then
        return value
    elseif kind ~= "table" then
        usage("fact", "facts are numbers, strings, booleans and tables of these, not " .. kind)
    elseif depth > 50 then
        usage("fact", "the table is nested too deeply, or contains itself")
    end
    return is_list(value) and copy_list(value, depth) or copy_object(value, depth)
end

--- A fact's value as JSON can hold it, checked.
function M.fact_value(value)
    return copy(value, 0)
end

return M
