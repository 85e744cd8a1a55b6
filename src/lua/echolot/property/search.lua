--- From a case that failed to a smallest one that fails in the same way, within bounds of runs and of time.
local choices = require "echolot.gen.choices"
local core = require "echolot.core"
local shrink = require "echolot.gen.shrink"

local M = {}

-- Of the test's time, what shrinking may take.
local TIME_SHARE = 1 / 3

-- While a failure that is a wait in vain is shrunk, waits are cut short: to so many times what the slowest good
-- case took, but no less than this.
local WAIT_FACTOR, WAIT_MIN_S = 20, 0.2

---@class echolot.property.found
---@field outcome echolot.property.outcome of the case that is reported
---@field source echolot.choices.source
---@field steps integer
---@field notes string[] what there is to be said of the search
---@field flaky? boolean
---@field smallest? echolot.choices.source
---@field candidate? echolot.property.outcome of the smallest that failed while shrinking

local function fails_alike(self, values, first)
    local outcome = self:try(values)
    return outcome.failed and outcome.kind == first.kind and not outcome.out_of_time, outcome
end

-- Some cases fail once only: of the time of day, of what the server remembers.
local function note_flaky(found, again, which)
    found.flaky = true
    found.notes[#found.notes + 1] = ("flaky: %s %s when it was run again"):format(
        which, again.failed and ("failed otherwise (%s)"):format(again.kind) or "passed")
end

-- A wait in vain takes the whole limit, again at every step: the seconds to which waits are cut meanwhile; nil
-- where they are left as they are.
local function shorter_wait(self, first)
    if first.kind ~= "timeout" or first.expired then
        return nil
    end
    local seconds = math.max(WAIT_MIN_S, WAIT_FACTOR * self.slowest)
    return seconds < self.state.timeout and seconds or nil
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

local function remake(self, source)
    return self:make(choices.replay(source.values))
end

-- Runs the case once more, and shrinks it if it fails again. What was found stands in `found`.
local function shrink_case(self, found, first)
    local late = math.min(core.now() + self.limit * TIME_SHARE, self.deadline)
    local same, again = fails_alike(self, remake(self, found.source), first)
    if not same and not again.out_of_time then
        note_flaky(found, again, "the same case")
        return
    end
    local result = same and run_shrink(self, found, first, late)
    if result then
        found.steps, found.smallest = found.steps + result.steps, found.candidate and result.best
    end
    if not result or not result.complete then
        found.notes[#found.notes + 1] = "there may be a smaller one: shrinking ended "
            .. (core.now() >= late and "for want of time" or ("by max_shrinks = %d"):format(self.max_shrinks))
    end
end

-- Takes what shrinking found, once it has been run again under the usual limits. False where that shows that only
-- `shorter` waits made it fail.
local function settle(self, found, first, shorter)
    local same, again = fails_alike(self, remake(self, found.smallest), first)
    if not same and not again.out_of_time then
        if shorter then
            return false
        end
        note_flaky(found, again, "the shrunk case")
    end
    found.source, found.outcome = found.smallest, same and again or found.candidate
    return true
end

-- Shrinks with shorter waits. False where these made other cases fail as well.
local function shrink_in_haste(self, found, first, seconds)
    core.set_timeout(seconds)
    local ok, err = pcall(shrink_case, self, found, first)
    core.set_timeout(self.state.timeout)
    if not ok then
        error(err, 0)
    end
    return not found.smallest or settle(self, found, first, true)
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
    local shorter = shorter_wait(self, first)
    if shorter and shrink_in_haste(self, found, first, shorter) then
        return found
    end
    found.smallest, found.candidate, found.notes = nil, nil, {}
    shrink_case(self, found, first)
    if found.smallest then
        settle(self, found, first, false)
    end
    return found
end

return M
