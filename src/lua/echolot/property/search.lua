--- From a case that failed to a smallest one that fails in the same way, within bounds of runs and of time.
local choices = require "echolot.gen.choices"
local core = require "echolot.core"
local shrink = require "echolot.gen.shrink"

local M = {}

-- Of the test's time, what shrinking may take.
local TIME_SHARE = 1 / 3

-- While a failure that is a wait in vain is shrunk, waits are cut short: to so many times what the slowest good
-- case took, but no less than this.
local WAIT_FACTOR, WAIT_MIN_S = 20, 0.25

---@class echolot.property.found
---@field outcome echolot.property.outcome of the case that is reported
---@field source echolot.choices.source
---@field steps integer
---@field notes string[] what there is to be said of the search
---@field flaky? boolean
---@field candidate? echolot.property.outcome of the smallest that failed while shrinking

local function fails_alike(self, values, first)
    local outcome = self:try(values)
    return outcome.failed and outcome.kind == first.kind and not outcome.out_of_time, outcome
end

-- Whether a case fails as it did. Some do so once only: of the time of day, of what the server remembers.
local function note_flaky(found, same, again, which)
    if same then
        return false
    end
    found.flaky = true
    local what = not again.failed and "passed" or again.out_of_time and "did not end in time"
        or ("failed otherwise (%s)"):format(again.kind)
    found.notes[#found.notes + 1] = ("flaky: %s %s when it was run again"):format(which, what)
    return true
end

-- A wait in vain takes the whole limit, again at every step.
local function shorten_waits(self, first)
    if first.kind ~= "timeout" or first.expired then
        return false
    end
    local seconds = math.max(WAIT_MIN_S, WAIT_FACTOR * self.slowest)
    if seconds >= self.state.timeout then
        return false
    end
    core.set_timeout(seconds)
    return true
end

local function run_shrink(self, found, first, late)
    local function fails(values)
        local same, outcome = fails_alike(self, values, first)
        if same then
            found.candidate = outcome
        end
        return same
    end
    return shrink.run(found.source, {
        max_steps = self.max_shrinks, fails = fails,
        make = function(source) return self:make(source) end,
        is_late = function() return core.now() >= late end,
    })
end

local function note_bounds(self, found, result, late)
    if result.complete then
        return
    end
    found.notes[#found.notes + 1] = ("there may be a smaller one: shrinking ended %s"):format(
        core.now() >= late and "for want of time" or ("after max_shrinks = %d"):format(self.max_shrinks))
end

local function remake(self, source)
    return self:make(choices.replay(source.values))
end

-- Takes what shrinking found, once it has been seen to fail again under the usual limits.
local function settle(self, found, first, result, shortened)
    if not found.candidate then
        return
    end
    local same, again = fails_alike(self, remake(self, result.best), first)
    if same then
        found.source, found.outcome = result.best, again
    elseif shortened and not again.out_of_time then
        found.notes[#found.notes + 1] = "not shrunk: with less patience other cases fail, too"
    else
        found.source, found.outcome = result.best, found.candidate
        note_flaky(found, false, again, "the shrunk case")
    end
end

--- Shrinks the case that `source` makes, which came to `first`.
---@param self echolot.property
---@param source echolot.choices.source
---@param first echolot.property.outcome
---@return echolot.property.found
function M.smallest(self, source, first)
    local found = { outcome = first, source = source, steps = 0, notes = {} }
    if first.out_of_time or self.max_shrinks == 0 then
        return found
    end
    local same, again = fails_alike(self, remake(self, source), first)
    if note_flaky(found, same, again, "the same case") then
        return found
    end
    local late = math.min(core.now() + self.limit * TIME_SHARE, self.deadline)
    local shortened = shorten_waits(self, first)
    local ok, result = pcall(run_shrink, self, found, first, late)
    if shortened then
        core.set_timeout(self.state.timeout)
    end
    if not ok then
        error(result, 0)
    end
    found.steps = result.steps
    note_bounds(self, found, result, late)
    settle(self, found, first, result, shortened)
    return found
end

return M
