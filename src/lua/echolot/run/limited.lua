--- Running a part of a test for a limited time, in a task of its own.
local core = require "echolot.core"

local M = {}

-- A test may have put stubs in the place of the library's functions.
local error, pcall = error, pcall
local pack = table.pack

--- Runs `f` in a task of `scope` for at most `seconds`. true; or false, its error and traceback, and whether the
--- time was up. Where the caller is cancelled meanwhile, that is raised; the task is left to its scope.
---@param scope userdata
---@param seconds number
---@param f function
---@return boolean ok
---@return any err
---@return string? traceback
---@return boolean? expired
function M.run(scope, seconds, f)
    local expired = false
    local task = scope:spawn(f)
    local timer = core.spawn(function()
        core.sleep(seconds)
        expired = true
        task:cancel()
    end)
    local ok, cancelled = pcall(task.join, task)
    timer:cancel()
    if ok then
        return true
    end
    local failure = pack(task:failure())
    if failure.n == 0 then -- it has not ended: it was our own wait that did
        error(cancelled, 0)
    end
    return false, failure[1], failure[2], expired
end

return M
