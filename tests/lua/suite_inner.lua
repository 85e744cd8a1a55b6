-- Runs small suites in a program of their own, to see what becomes of them.
local core = require "echolot.core"

local M = {}

local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The program under test; nil where the environment does not name it.
function M.program()
    return os.getenv "ECHOLOT"
end

local function write_script(source)
    local name = os.tmpname()
    os.remove(name)
    local path = name .. "_test.lua"
    local file <close> = assert(io.open(path, "wb"))
    file:write(source)
    return path
end

---@class suite_inner.result
---@field status integer the exit status
---@field events table[] of all kinds
---@field tests table[] the test_end events, in order
---@field by_name table<string, table>
---@field logs string[] texts
---@field out string what is no event

--- Runs `source` as a test script. The options come before its path. What hangs is ended, with
--- status 124.
---@param source string
---@param options? string
---@return suite_inner.result
function M.run(source, options)
    local path = write_script(source)
    local command = ("timeout 30 %s test -o jsonl %s %s 2>&1"):format(
        quote(M.program()), options or "", quote(path))
    local pipe = assert(io.popen(command, "r"))
    local result = { events = {}, tests = {}, by_name = {}, logs = {}, out = "" }
    for line in pipe:lines() do
        local event = line:sub(1, 1) == "{" and core.json.decode(line)
        if not event then
            result.out = result.out .. line .. "\n"
        else
            table.insert(result.events, event)
            if event.event == "test_end" then
                table.insert(result.tests, event)
                result.by_name[event.name] = event
            elseif event.event == "log" then
                table.insert(result.logs, event.text)
            end
        end
    end
    local _, _, status = pipe:close()
    result.status = status
    os.remove(path)
    return result
end

--- "name=status" of each test, in order.
function M.outcome(result)
    local list = {}
    for i, test in ipairs(result.tests) do
        list[i] = test.name .. "=" .. test.status
    end
    return list
end

--- Skips the test that runs where there is no program to run.
function M.need_program(skip)
    if not M.program() then
        skip "ECHOLOT does not name the program"
    end
end

return M
