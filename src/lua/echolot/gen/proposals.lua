--- Proposals: choices that may be smaller and still fail. Whoever shrinks proposes; what holds becomes the best.
local choices = require "echolot.gen.choices"

local M = {}

-- Proposals are cheap where they need not be run, but not free.
local PROPOSALS_PER_STEP = 20

---@class echolot.shrink.options
---@field make fun(source: echolot.choices.source): any makes the value; raises where the choices make none
---@field fails fun(value: any, source: echolot.choices.source): boolean runs it: whether it fails as the first did
---@field max_steps integer runs at most
---@field is_late? fun(): boolean whether the time is up

---@class echolot.proposals: echolot.shrink.options
---@field best echolot.choices.source the smallest that is known to fail
---@field steps integer runs so far
---@field pass_end integer steps after which the pass is over
local proposals = {}
proposals.__index = proposals

--- Raised to end everything, or a pass; told from all other errors by their identity.
M.STOP, M.PASS_ENDS = {}, {}

---@param source echolot.choices.source known to fail
---@param options echolot.shrink.options
---@return echolot.proposals
function M.new(source, options)
    return setmetatable({
        best = source, steps = 0, count = 0, seen = { [source:hash()] = true }, make = options.make,
        fails = options.fails, max_steps = options.max_steps, pass_end = math.huge,
        max_count = options.max_steps * PROPOSALS_PER_STEP,
        is_late = options.is_late or function() return false end,
    }, proposals)
end

--- Proposes choices. True where they fail and are smaller; they are the best from now on.
---@param values integer[]
---@return boolean
function proposals:propose(values)
    self.count = self.count + 1
    if self.steps >= self.max_steps or self.count > self.max_count or self.is_late() then
        error(M.STOP, 0)
    elseif self.steps >= self.pass_end then
        error(M.PASS_ENDS, 0)
    end
    local source = choices.replay(values)
    local made, value = pcall(self.make, source)
    if not made or not source:is_less(self.best) then
        return false
    end
    local hash = source:hash()
    if self.seen[hash] then
        return false
    end
    self.seen[hash] = true
    self.steps = self.steps + 1
    if self.fails(value, source) then
        self.best = source
        return true
    end
    return false
end

--- Calls `visit(index)` for the lists of the best, whatever becomes of them meanwhile.
---@param visit fun(index: integer)
function proposals:each_list(visit)
    local i = 1
    while i <= #self.best.lists do
        visit(i)
        i = i + 1
    end
end

--- The smallest number from `lo` to `hi` for which `holds`, as if from there on it always held. `hi` is known to.
---@param lo integer
---@param hi integer
---@param holds fun(number: integer): boolean
---@return integer
function M.search(lo, hi, holds)
    while lo < hi do
        local middle = lo + (hi - lo) // 2
        if holds(middle) then
            hi = middle
        else
            lo = middle + 1
        end
    end
    return hi
end

--- A copy to be changed.
---@param values integer[]
---@return integer[]
function M.copy(values)
    return table.move(values, 1, #values, 1, {})
end

return M
