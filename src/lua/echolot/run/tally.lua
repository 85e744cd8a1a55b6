--- Counts of a run's events.
local M = {}

---@class echolot.tally
---@field pass integer
---@field fail integer
---@field error integer
---@field timeout integer
---@field skip integer
---@field not_loaded integer files that did not load
---@field file_errors integer other errors of files: teardowns, tasks, lost workers
---@field listed integer
---@field defined integer tests that the files hold
---@field targets table<string, true> names that the files declare, "" for the unnamed one
local tally = {}
tally.__index = tally

---@return echolot.tally
function M.new()
    return setmetatable({
        pass = 0, fail = 0, error = 0, timeout = 0, skip = 0, not_loaded = 0, file_errors = 0,
        listed = 0, defined = 0, targets = {},
    }, tally)
end

--- Counts an event.
function tally:take(event)
    if event.event == "test_end" then
        self[event.status] = self[event.status] + 1
    elseif event.event == "test_listed" then
        self.listed = self.listed + 1
    elseif event.event == "file_end" then
        self.defined = self.defined + (event.defined or 0)
        for _, name in ipairs(type(event.targets) == "table" and event.targets or {}) do
            self.targets[name] = true
        end
        if not event.error then
            return
        end
        local what = event.error.kind == "load" and "not_loaded" or "file_errors"
        self[what] = self[what] + 1
    end
end

--- The counts as `run_end` bears them.
function tally:summary()
    return {
        passed = self.pass, failed = self.fail + self.timeout, skipped = self.skip,
        errors = self.error + self.not_loaded + self.file_errors,
    }
end

--- "N passed, N failed", and what else there is.
---@param summary table
---@return string
function M.line(summary)
    local text = ("%d passed, %d failed"):format(summary.passed, summary.failed)
    if summary.skipped > 0 then
        text = text .. (", %d skipped"):format(summary.skipped)
    end
    if summary.errors > 0 then
        text = text .. (", %d %s"):format(summary.errors, summary.errors == 1 and "error" or "errors")
    end
    return text
end

return M
