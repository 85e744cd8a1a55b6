--- One case of a property: the function called with generated values, as a small test of its own. What it opened
--- is closed, what it spawned is ended, and what it said is kept, when it is over.
local busted_state = require "echolot.busted.state"
local core = require "echolot.core"
local limited = require "echolot.run.limited"
local record = require "echolot.run.record"

local M = {}

---@class echolot.property.outcome
---@field failed boolean
---@field kind? string of its failure
---@field err? any what was raised
---@field traceback? string
---@field check? table the failed check that counts, as a report has it
---@field expired? boolean the time was up
---@field run table what the suite words wrote down: checks, facts, steps, logs, ...
---@field scope userdata bears the transcript

local function kind_of(outcome)
    if outcome.expired then
        return "timeout"
    elseif outcome.check then
        return outcome.check.kind
    end
    return core.error.is(outcome.err) and outcome.err.kind or "error"
end

-- The first thing that went wrong is the case's failure.
local function settle(outcome, ok, err, traceback, expired)
    if outcome.failed then
        return
    elseif not ok then
        outcome.failed, outcome.err, outcome.traceback, outcome.expired = true, err, traceback, expired
    elseif #outcome.run.failed_checks > 0 then
        outcome.failed, outcome.check = true, outcome.run.failed_checks[1]
    else
        return
    end
    outcome.kind = kind_of(outcome)
end

-- Calls what `finally` was given, the last first; the first error counts.
local function call_finally(list)
    local failed, first
    for i = #list, 1, -1 do
        local ok, err = pcall(list[i])
        if not ok and not failed then
            failed, first = true, err
        end
    end
    if failed then
        error(first, 0)
    end
end

local function run_parts(outcome, seconds, body, values)
    local run, scope = outcome.run, outcome.scope
    settle(outcome, limited.run(scope, seconds, function()
        return body(table.unpack(values, 1, values.n)) -- a tail call: tracebacks begin in the script
    end))
    if #run.finally > 0 then
        settle(outcome, limited.run(scope, seconds, function()
            call_finally(run.finally)
        end))
    end
end

--- Runs one, in at most `seconds`.
---@param state echolot.suite.state
---@param body function
---@param values table packed
---@param seconds number
---@return echolot.property.outcome
function M.run(state, body, values, seconds)
    local outer = state.running
    local run = {
        test = outer.test, started = core.now(), finally = {}, checks = 0, failed_checks = {}, facts = {},
        steps = {}, logs = {},
    }
    local outcome = { failed = false, run = run, scope = core.scope(true) }
    state.running = run
    local spies = busted_state.snapshot()
    local whole, problem = pcall(run_parts, outcome, seconds, body, values)
    local reverted, why = pcall(spies.revert, spies)
    local err, traceback = outcome.scope:close()
    state.running = outer
    if not whole then
        error(problem, 0) -- the test itself is to end
    end
    settle(outcome, reverted, why)
    settle(outcome, err == nil, err, traceback)
    outcome.duration = core.now() - run.started
    return outcome
end

--- What was said in it, as a report has it.
---@param outcome echolot.property.outcome
function M.transcript(outcome)
    return record.transcript(outcome.scope, outcome.run.started)
end

return M
