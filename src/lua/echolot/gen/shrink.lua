--- Shrinking: from choices that make a test fail to smaller ones that still do. It works on the choices, not on
--- the values, so that whatever comes out is something that the generator makes, however it is put together.
---
--- Each pass proposes changes, the boldest first; what still fails and is smaller (see choices.lua) becomes the
--- best. They are repeated until none of them finds anything, or the bounds are reached.
local lists = require "echolot.gen.shrink_lists"
local numbers = require "echolot.gen.shrink_numbers"
local proposals = require "echolot.gen.proposals"

local M = {}

-- A pass may use that part of the steps that are left, so that the others get their turn.
local PASS_SHARE = 2

local PASSES = {
    lists.cut, numbers.simplify, lists.lift, lists.spell_out, lists.delete, lists.join, numbers.lower_equal,
    numbers.lower_each, numbers.pairs, lists.sort,
}

-- True where no bound kept a pass from its end in the last round.
local function run_passes(self)
    local complete
    repeat
        local before = self.best
        complete = true
        for _, pass in ipairs(PASSES) do
            self.pass_end = self.steps + (self.max_steps - self.steps) // PASS_SHARE + 1
            local ok, err = pcall(pass, self)
            if not ok and err ~= proposals.PASS_ENDS then
                error(err, 0)
            end
            complete = complete and ok
        end
    until self.best == before
    return complete
end

---@class echolot.shrink.result
---@field best echolot.choices.source
---@field steps integer runs
---@field complete boolean false where a bound ended it

--- Shrinks.
---@param source echolot.choices.source known to fail
---@param options echolot.shrink.options
---@return echolot.shrink.result
function M.run(source, options)
    local self = proposals.new(source, options)
    local ok, complete = pcall(run_passes, self)
    if not ok and complete ~= proposals.STOP then
        error(complete, 0)
    end
    return { best = self.best, steps = self.steps, complete = ok and complete }
end

return M
