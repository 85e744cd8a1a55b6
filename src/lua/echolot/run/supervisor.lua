--- The supervisor's side of a run: hands files to workers, watches them, and tells the reporters
--- what happens. A worker that spins, dies or eats its memory costs the test it was at.
local core = require "echolot.core"
local concurrency = require "echolot.concurrency"
local host = require "echolot.host"

local M = {}

-- A worker ends a test that takes too long by itself; one that does not within this time more
-- computes without waiting, and is killed.
local GRACE_S = 2

-- How long the output of a worker that has ended is waited for.
local OUTPUT_GRACE_S = 0.2

---@class echolot.supervisor
---@field options table of the command
---@field files string[]
---@field next_file integer
---@field emit fun(event: table, line?: string)
---@field stopping boolean
local supervisor = {}
supervisor.__index = supervisor

---@param options table `timeout`, `test_timeout`, `memory_limit`, `jobs`, ... as job fields
---@param files string[]
---@param emit fun(event: table, line?: string)
---@return echolot.supervisor
function M.new(options, files, emit)
    return setmetatable({
        options = options, files = files, next_file = 1, emit = emit, stopping = false,
        active = {},
    }, supervisor)
end

local function event(fields)
    fields.t = core.unix_time()
    return fields
end

-- A worker process, and what it writes to its standard output and error, which becomes log
-- events of the file.
local function start_worker(self)
    local process, channel, output = host.start_worker()
    local worker = { process = process, channel = channel, output = output }
    worker.listener = core.spawn(function()
        for line in output:lines() do
            -- By which test, cannot be told: this comes by another way than the events.
            local active = self.active[worker]
            self.emit(event { event = "log", text = line, path = active and active.path })
        end
    end)
    return worker
end

local function stop_worker(worker)
    worker.process:kill()
    worker.channel:close()
    local code, signal = worker.process:wait()
    -- What it printed last is still on its way; a process that it left behind, which holds the
    -- same output, does not keep us.
    pcall(concurrency.timeout, OUTPUT_GRACE_S, worker.listener.join, worker.listener)
    worker.listener:cancel()
    worker.output:close()
    return code, signal
end

-- What is known of a worker's death.
local function describe_death(active, code, signal, timed_out, limit)
    if timed_out then
        return "timeout", ("no answer for %.10g s: the script computes without waiting; killed"):format(limit)
    elseif active.memory_limit then
        return "limit", ("the worker passed its memory limit of %d bytes (--memory-limit)"):format(
            active.memory_limit)
    elseif active.script_exit then
        local exit = active.script_exit
        return "error", ("%sthe script called os.exit(%d)"):format(
            exit.where and exit.where .. ": " or "", exit.status)
    elseif signal then
        return "error", ("the worker was ended by a signal: %s"):format(signal)
    end
    return "error", ("the worker exited with status %d"):format(code)
end

-- Reports the test at which a worker was lost.
local function report_lost_test(self, active, kind, message)
    local test = active.test
    self.emit(event {
        event = "test_end", name = test.name, path = test.path, line = test.line, tags = test.tags,
        number = test.number, target = test.target,
        status = kind == "timeout" and "timeout" or "error",
        duration = core.now() - active.test_began, checks = 0,
        error = { kind = kind, message = active.case and active.case .. "\n" .. message or message },
        transcript = core.json.array {},
    })
end

local STATUSES = { pass = true, fail = true, error = true, skip = true, timeout = true }

-- A script can write into its worker's channel, if it goes out of its way: what is no event of
-- ours is dropped, so that reporters can rely on the fields.
local function is_event(e)
    if type(e) ~= "table" or type(e.event) ~= "string" then
        return false
    elseif e.event == "test_start" or e.event == "test_end" or e.event == "test_listed" then
        return type(e.name) == "string" and type(e.path) == "string" and math.type(e.line) == "integer"
            and (e.event ~= "test_end" or STATUSES[e.status] and type(e.duration) == "number")
            and (e.property == nil or type(e.property) == "table" and math.type(e.property.cases) == "integer")
            and (e.event ~= "test_start" or math.type(e.number) == "integer")
    elseif e.event == "file_start" or e.event == "file_end" then
        return type(e.path) == "string"
    elseif e.event == "log" then
        return type(e.text) == "string" and (e.name == nil or type(e.name) == "string")
            and (e.path == nil or type(e.path) == "string")
    end
    return e.event == "case" and type(e.text) == "string"
        or e.event == "memory_limit" and math.type(e.limit) == "integer"
        or e.event == "script_exit" and math.type(e.status) == "integer"
end

-- Takes one event of the worker's. True when the file is done.
local function take_event(self, active, line)
    local e = core.json.decode(line)
    if not is_event(e) then
        return false
    end
    if e.event == "memory_limit" then
        active.memory_limit = e.limit
        return false
    elseif e.event == "script_exit" then
        active.script_exit = e
        return false
    elseif e.event == "case" then
        active.case = e.text
        return false
    elseif e.event == "file_start" then
        if active.restarted then
            return false -- told before
        end
    elseif e.event == "test_start" then
        active.test, active.test_began, active.case = e, core.now(), nil
        active.ran[#active.ran + 1] = { line = e.line, name = e.name }
    elseif e.event == "test_end" then
        active.test = nil
        if self.options.fail_fast and e.status ~= "pass" and e.status ~= "skip" then
            self.stopping = true
        end
    end
    self.emit(e, line)
    return e.event == "file_end"
end

-- Runs one file on the worker until it is done (true), or the worker is lost (false, and whether
-- that was for want of an answer).
local function follow(self, worker, active)
    local limit = self.options.test_timeout + GRACE_S
    worker.channel:timeout(limit)
    worker.channel:send(core.json.encode(active.job), "\n")
    while true do
        local ok, line = pcall(worker.channel.read, worker.channel, "l")
        if not ok then
            return false, line.kind == "timeout"
        elseif line == nil then
            return false, false
        elseif take_event(self, active, line) then
            return true
        end
    end
end

-- JSON holds UTF-8 only: the name by which a file is opened goes as hex.
local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function job_for(self, path, ran)
    local o = self.options
    return {
        path = core.text.to_utf8(path), path_hex = hex(path), ran = ran, list = o.list, filter = o.filter,
        filter_out = o.filter_out, targets = o.targets, timeout = o.timeout, test_timeout = o.test_timeout,
        memory_limit = o.memory_limit, fail_fast = o.fail_fast, seed = o.seed, resolver = o.resolver,
    }
end

-- Runs a file to its end, on as many workers as that takes. The worker that is left, or nil.
local function run_file(self, worker, path)
    local shown = core.text.to_utf8(path)
    local active = { path = shown, ran = core.json.array {} }
    while true do
        worker = worker or start_worker(self)
        self.active[worker] = active
        active.job = job_for(self, path, active.ran)
        local ran_before = #active.ran
        local done, timed_out = follow(self, worker, active)
        if done then
            self.active[worker] = nil
            return worker
        end
        local code, signal = stop_worker(worker)
        self.active[worker] = nil
        worker = nil
        local kind, message = describe_death(active, code, signal, timed_out,
            self.options.test_timeout + GRACE_S)
        if active.test then
            report_lost_test(self, active, kind, message)
            if self.options.fail_fast then
                self.stopping = true
            end
        end
        -- Lost outside of any test, and without progress: it would be lost again.
        if not active.test or #active.ran == ran_before or self.stopping then
            self.emit(event {
                event = "file_end", path = shown, status = "error", duration = 0,
                tests = #active.ran,
                error = not active.test and { kind = kind, message = message } or nil,
            })
            return nil
        end
        active.test, active.memory_limit, active.script_exit = nil, nil, nil
        active.restarted = true
    end
end

--- Runs all files, `jobs` at a time.
function supervisor:run()
    local function slot()
        local worker
        while not self.stopping and self.next_file <= #self.files do
            local path = self.files[self.next_file]
            self.next_file = self.next_file + 1
            worker = run_file(self, worker, path)
        end
        if worker then
            stop_worker(worker)
        end
    end
    local tasks = {}
    for i = 1, math.min(self.options.jobs, #self.files) do
        tasks[i] = core.spawn(slot)
    end
    for _, task in ipairs(tasks) do
        task:join()
    end
end

return M
