--- Programs: `echolot.process{...}`, and waiting until a program that is a server accepts connections.
local core = require "echolot.core"
local inspect = require "echolot.inspect"

local M = {}

-- From one attempt to connect to the next.
local PAUSE_FIRST_S, PAUSE_LAST_S = 0.005, 0.05

-- What connecting may take before it is looked whether the program still runs.
local ATTEMPT_S = 1

-- How long the diagnostics of a program that has ended are waited for: another one may hold them open.
local DIAGNOSTICS_S = 0.2
local DIAGNOSTICS_MAX = 2000

local function usage(op, message)
    error(core.error.new { kind = "usage", op = op, message = message }, 0)
end

-- What is the program's own; the rest are connect's options.
local OWN = { env = "table", cwd = "string" }

local function as_text(what, value)
    if type(value) ~= "string" and type(value) ~= "number" then
        usage("process", ("%s is a string, not %s"):format(what, type(value)))
    end
    value = tostring(value)
    if value:find("\0", 1, true) then
        usage("process", what .. " holds a NUL byte")
    end
    return value
end

local function environment(changes)
    local out = {}
    for name, value in next, changes do
        if type(name) ~= "string" or name == "" or name:find "[=\0]" then
            usage("process", "a name in 'env' is a string without '=' and NUL, not empty")
        end
        out[name] = value ~= false and as_text(("'%s' in 'env'"):format(name), value)
    end
    return out
end

-- A word as a command line has it.
local function quoted(word)
    if word:find "^[%w%%+,./:=@_^-]+$" then
        return word
    end
    return "'" .. word:gsub("'", [['\'']]) .. "'"
end

-- Takes the table apart: words, options of the program, options of connect.
local function take(given)
    local words, own, rest = {}, {}, {}
    for key, value in next, given do
        if math.type(key) == "integer" then
            words[key] = as_text(("word %d"):format(key), value)
        elseif OWN[key] then
            if type(value) ~= OWN[key] then
                usage("process", ("option '%s' is a %s, not %s"):format(key, OWN[key], type(value)))
            end
            own[key] = value
        elseif key == "stdin" then
            if type(value) ~= "string" and value ~= false then
                usage("process", "option 'stdin' is a string, or false for none")
            end
            own.stdin = value
        else
            rest[key] = value
        end
    end
    local count = 0
    for _ in next, words do
        count = count + 1
    end
    if count == 0 or count ~= #words or words[1] == nil then
        usage("process", "a command and its arguments are expected, without a gap")
    elseif words[1] == "" then
        usage("process", "the command is empty")
    end
    return words, own, rest
end

--- Starts a program: `process{command, argument, ..., env=, cwd=, stdin=}`, and connect's options.
---@param given table
---@return userdata conn over its standard files
function M.start(given)
    if type(given) ~= "table" then
        usage("process", "a table with the command and its arguments is expected, got " .. type(given))
    end
    local words, own, rest = take(given)
    if own.env then
        own.env = environment(own.env)
    end
    if own.cwd then
        own.cwd = as_text("option 'cwd'", own.cwd)
    end
    local shown = {}
    for i, word in ipairs(words) do
        shown[i] = quoted(word)
    end
    return core.start_process("exec:" .. table.concat(shown, " "), words, own, rest)
end

-- What the program had to say, without taking it from whoever reads that later.
local function diagnostics(process)
    local stderr = process.stderr
    -- Never satisfied: it ends with what is read, or with the time.
    pcall(stderr.expect, stderr, function() end, { timeout = DIAGNOSTICS_S })
    local text = stderr:unread()
    if text == "" then
        return ""
    end
    return "; its standard error: " .. inspect.string(text:sub(-DIAGNOSTICS_MAX), DIAGNOSTICS_MAX)
end

local function raise_ended(process, address, shown, code, signal)
    error(core.error.new {
        kind = "eof", op = "wait_port", address = shown,
        message = ("the program ended (%s) before it accepted connections at %s%s"):format(
            code and "status " .. code or signal, address, diagnostics(process)),
    }, 0)
end

-- Of a failed attempt: nobody is there yet.
local RETRIED = { refused = true, unreachable = true, timeout = true, reset = true }

-- One attempt, which no report shows. Whether somebody accepted it, else why not.
local function accepts(address, seconds)
    local scope = core.scope(false)
    local ok, err = pcall(function()
        return scope:spawn(function()
            local conn <close> = core.connect(address, { timeout = seconds })
            -- Two ends of one socket: the system took the very port that nobody listens at.
            local is_own = conn.local_address and conn.local_address == conn.peer
            if is_own then
                conn:reset()
            end
            return not is_own
        end):join()
    end)
    scope:close()
    if not ok and not (core.error.is(err) and (RETRIED[err.kind] or err.errno == "ENOENT")) then
        error(err, 0)
    end
    return ok and err
end

--- `process:wait_port(address)`: waits until connections are accepted at `address`.
---@param process userdata
---@param address string|table
---@return userdata process
function M.wait_port(process, address)
    local _, shown, limit_s = core.process_state(process)
    address = core.address(address)
    if address.scheme ~= "tcp" and address.scheme ~= "tls" and address.scheme ~= "unix" then
        usage("wait_port", address.scheme .. " addresses do not accept connections")
    end
    local whom = address.scheme == "tls" and core.address(tostring(address):gsub("^tls:", "tcp:")) or address
    local last, pause_s = core.now() + limit_s, PAUSE_FIRST_S
    while true do
        local ended, _, _, code, signal = core.process_state(process)
        if accepts(whom, math.max(0, math.min(ATTEMPT_S, last - core.now()))) then
            return process
        elseif ended then
            raise_ended(process, address, shown, code, signal)
        elseif core.now() >= last then
            error(core.error.new {
                kind = "timeout", op = "wait_port", address = shown,
                message = ("timeout after %.10g s: nothing accepts connections at %s%s"):format(
                    limit_s, address, diagnostics(process)),
            }, 0)
        end
        core.sleep(pause_s)
        pause_s = math.min(pause_s * 2, PAUSE_LAST_S)
    end
end

return M
