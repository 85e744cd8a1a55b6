--- What is told of a property that does not hold.
local case = require "echolot.property.case"
local choices = require "echolot.gen.choices"
local inspect = require "echolot.inspect"
local record = require "echolot.run.record"
local values = require "echolot.property.values"

local M = {}

local plural = inspect.plural

-- What the test of a falsified property raises; the runner takes its fields over.
local Verdict = { __tostring = function(self) return self.error.message end }

local function seed_text(property)
    return ("(%s %d)"):format(property.own_seed and "seed" or "--seed", property.seed)
end

-- The error of the case itself, as a report has it.
local function case_error(property, outcome)
    if outcome.check then
        return outcome.check
    elseif not outcome.expired then
        return record.error(outcome.err, outcome.traceback)
    end
    local message = outcome.out_of_time
        and ("the test took longer than %.10g s (--test-timeout)"):format(property.limit)
        or ("the case took longer than %.10g s (its option 'timeout')"):format(property.case_timeout)
    return { kind = "timeout", message = message, traceback = record.traceback(outcome.traceback) }
end

-- The error with what is known of the search in front of its own words.
local function with_heading(err, heading)
    local out = {}
    for key, value in pairs(err) do
        out[key] = value
    end
    out.summary = heading .. "\n" .. (err.summary or err.message)
    out.message = heading .. "\n" .. err.message
    return out
end

local function status_of(outcome)
    return outcome.out_of_time and "timeout" or outcome.kind == "mismatch" and "fail" or "error"
end

local function raise(fields)
    error(setmetatable(fields, Verdict), 0)
end

--- Which case is being run.
---@param property echolot.property
---@return string
function M.running(property)
    return ("case %d of %d was running %s:"):format(property.count, property.runs, seed_text(property))
end

-- Whoever was at work when the time was up need not be to blame.
local function heading_of(property, found)
    if found.outcome.out_of_time then
        return M.running(property)
    end
    return ("falsified after %s and %s %s:"):format(plural(property.count, "case"),
        plural(found.steps, "shrinking step"), seed_text(property))
end

--- Ends the test: the case that was found falsifies the property.
---@param property echolot.property
---@param found echolot.property.found
function M.raise(property, found)
    local outcome = found.outcome
    local made = property:make(choices.replay(found.source.values))
    local arguments = values.arguments(property.names, made)
    local heading = heading_of(property, found) .. values.text(arguments)
    for _, note in ipairs(found.notes) do
        heading = heading .. "\n" .. note
    end
    local transcript, dropped = case.transcript(outcome)
    local err, checks = with_heading(case_error(property, outcome), heading), outcome.run.failed_checks
    if outcome.check then
        checks[1] = err -- the same failure, to be shown once
    end
    raise {
        status = status_of(outcome), error = err, failed_checks = checks, transcript = transcript, dropped = dropped,
        property = {
            runs = property.runs, cases = property.count, shrinks = found.steps, seed = property.seed,
            arguments = arguments, flaky = found.flaky,
        },
    }
end

--- Ends the test: its time is up between two cases.
---@param property echolot.property
function M.raise_late(property)
    raise {
        status = "timeout",
        error = {
            kind = "timeout",
            message = ("the test took longer than %.10g s (--test-timeout): %d of %s had passed %s"):format(
                property.limit, property.count, plural(property.runs, "case"), seed_text(property)),
        },
        property = { runs = property.runs, cases = property.count, seed = property.seed },
    }
end

--- Takes a verdict over into the test's record. False where `err` is none.
---@param run table
---@param err any
---@return boolean
function M.settle(run, err)
    if getmetatable(err) ~= Verdict then
        return false
    end
    local checks = run.failed_checks -- of the hooks
    for key, value in pairs(err) do
        run[key] = value
    end
    run.failed_checks = table.move(err.failed_checks or {}, 1, #(err.failed_checks or {}), #checks + 1, checks)
    return true
end

return M
