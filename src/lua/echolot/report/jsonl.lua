--- The stream of events itself, one JSON object a line.
local core = require "echolot.core"

local M = {}

local jsonl = {}
jsonl.__index = jsonl

---@param sink echolot.report.sink
function M.new(sink)
    return setmetatable({ sink = sink }, jsonl)
end

function jsonl:event(event, line)
    self.sink:write((line or core.json.encode(event)) .. "\n")
end

return M
