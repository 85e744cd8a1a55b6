--- The reporters of a run, each writing to standard output or, whole or not at all, to a file.
local core = require "echolot.core"
local jsonl = require "echolot.report.jsonl"
local pretty = require "echolot.report.pretty"

local M = {}

local FORMATS = { jsonl = jsonl, pretty = pretty }

---@class echolot.report.sink
---@field write fun(self, text: string)
---@field failed? string
local sink = {}
sink.__index = sink

function sink:write(text)
    if self.failed then
        return
    end
    local ok, why = self.file:write(text)
    if ok and not self.path then
        ok, why = self.file:flush()
    end
    if not ok then
        self.failed = why
    end
end

-- A report appears under its name when it is complete.
function sink:close()
    if self.path then
        local ok, why = self.file:close()
        if ok and not self.failed then
            ok, why = os.rename(self.temporary, self.path)
        end
        if not ok or self.failed then
            os.remove(self.temporary)
            self.failed = self.failed or why
        end
    end
    return self.failed == nil
end

local function open_sink(path)
    if not path then
        return setmetatable({ file = io.stdout }, sink)
    end
    local temporary = path .. ".part"
    local file, why = io.open(temporary, "wb")
    if not file then
        return nil, why
    end
    return setmetatable({ file = file, path = path, temporary = temporary }, sink)
end

---@class echolot.reporters
local reporters = {}
reporters.__index = reporters

--- Hands an event to each reporter; `line` is its JSON text where there is one.
function reporters:event(event, line)
    for _, reporter in ipairs(self) do
        reporter:event(event, line)
    end
end

--- Completes the reports. False where one could not be written, which is told.
function reporters:finish()
    local ok = true
    for _, reporter in ipairs(self) do
        local out = reporter.sink
        if not out:close() then
            local text = ("cannot write the report to %s: %s"):format(out.path or "standard output", out.failed)
            io.stderr:write("echolot: ", core.text.for_terminal(text, false), "\n")
            ok = false
        end
    end
    return ok
end

--- Opens what `-o` asks for. nil and why where that cannot be.
---@param options table
---@return echolot.reporters?
---@return string? why
function M.open(options)
    local list = setmetatable({}, reporters)
    local to_stdout
    for _, text in ipairs(options.output or { "pretty" }) do
        local name, path = text:match "^([%w_]+)=(.+)$"
        name = name or text
        local format = FORMATS[name]
        if not format then
            return nil, ("unknown output format '%s' (pretty or jsonl)"):format(name)
        end
        if not path and to_stdout then
            return nil, ("both %s and %s would go to standard output: give one a file, %s=FILE"):format(
                to_stdout, name, name)
        end
        to_stdout = to_stdout or not path and name or nil
        local out, why = open_sink(path)
        if not out then
            return nil, why
        end
        list[#list + 1] = format.new(out, options)
    end
    return list
end

return M
