--- Turns for the others, where one does not wait by itself.
local core = require "echolot.core"

local M = {}

-- The others wait no longer than this.
local TURN_S = 0.005

local function nothing() end

--- A function to be called by who may go on for long without waiting (its client reads, or
--- has sent, faster than we write): every few milliseconds it lets the loop have a turn, so
--- that the others are served.
---@return fun()
function M.new()
    local next_s = core.now() + TURN_S
    return function()
        if core.now() >= next_s then
            core.spawn(nothing):join()
            next_s = core.now() + TURN_S
        end
    end
end

return M
