--- echolot test: runs test scripts in workers, and reports.
local core = require "echolot.core"
local concurrency = require "echolot.concurrency"
local discover = require "echolot.run.discover"
local host = require "echolot.host"
local report = require "echolot.report"
local resolver = require "echolot.resolver"
local supervisor = require "echolot.run.supervisor"
local tally = require "echolot.run.tally"

local M = {}

-- The exit statuses of the contract.
local PASSED, FAILED, USAGE, INTERNAL, NOTHING = 0, 1, 2, 3, 5

-- Of a seed that nobody gave: short enough to be typed.
local SEED_MAX = 999999999

local function complain(...)
    io.stderr:write("echolot test: ", core.text.for_terminal(table.concat { ... }, false), "\n")
end

local function check_patterns(patterns)
    for _, pattern in ipairs(patterns or {}) do
        local ok, why = pcall(string.find, "", pattern)
        if not ok then
            return nil, ("bad pattern '%s': %s"):format(pattern, (why:gsub("^.-:%d+: ", "")))
        end
    end
    return true
end

-- --target [NAME=]ADDRESS. An address may hold a '=' of its own, but not before its ':'.
local function parse_targets(list)
    local targets = {}
    for _, text in ipairs(list or {}) do
        local name, address = text:match "^([%w_%-]+)=(.+)$"
        name, address = name or "", address or text
        local ok, err = pcall(core.address, address)
        if not ok then
            return nil, err.message
        end
        targets[name] = address
    end
    return targets
end

local function job_options(options)
    local targets, why = parse_targets(options.target)
    if not targets then
        return nil, why
    end
    for _, key in ipairs { "filter", "filter-out" } do
        local ok, problem = check_patterns(options[key])
        if not ok then
            return nil, problem
        end
    end
    local resolves, problem = resolver.use(options.resolver)
    if not resolves then
        return nil, problem
    end
    return {
        targets = targets, resolver = options.resolver, filter = options.filter, filter_out = options["filter-out"],
        list = options.list, timeout = options.timeout or 5,
        test_timeout = options["test-timeout"] or 60,
        memory_limit = options["memory-limit"] or 512 << 20,
        seed = options.seed or core.random() % (SEED_MAX + 1),
        fail_fast = options["fail-fast"], jobs = options.jobs or host.processors(),
    }
end

local function exit_status(counts, reports_ok)
    if not reports_ok then
        return INTERNAL
    elseif counts.not_loaded > 0 then
        return USAGE
    elseif counts.fail + counts.timeout + counts.error + counts.file_errors > 0 then
        return FAILED
    elseif counts.pass + counts.skip == 0 then
        return NOTHING
    end
    return PASSED
end

-- The run under way, for `interrupted`.
local current

local function list(job, files)
    local counts = tally.new()
    local run = supervisor.new(job, files, function(event)
        counts:take(event)
        if event.event == "test_listed" then
            print(core.text.for_terminal(("%s:%d: %s"):format(event.path, event.line, event.name), false))
        elseif event.event == "file_end" and event.error then
            complain(event.error.message)
        end
    end)
    run.options.jobs = 1 -- in order
    run:run()
    return counts.not_loaded > 0 and USAGE or counts.listed == 0 and NOTHING or PASSED
end

local function run_all(job, files, reporters)
    local counts = tally.new()
    local function emit(event, line)
        counts:take(event)
        reporters:event(event, line)
    end
    current = { counts = counts, reporters = reporters, started = core.now() }
    emit { event = "run_start", t = core.unix_time(), files = #files, version = host.version(), seed = job.seed }
    supervisor.new(job, files, emit):run()
    emit {
        event = "run_end", t = core.unix_time(), counts = counts:summary(),
        duration = core.now() - current.started,
    }
    local ok = reporters:finish()
    current = nil
    return exit_status(counts, ok), counts
end

--- Carries it out; the exit status.
function M.main(options)
    if #options == 0 then
        complain "give a test script or a directory (see echolot test --help)"
        return USAGE
    end
    local job, why = job_options(options)
    if not job then
        complain(why)
        return USAGE
    end
    local files, problems, empty = discover.files { table.unpack(options) }
    for _, problem in ipairs(problems) do
        complain(problem)
    end
    if #problems > 0 then
        return USAGE
    end
    for _, dir in ipairs(empty) do
        complain(dir, ": no test script below this directory")
    end
    if #files == 0 then
        return NOTHING
    end
    if job.list then
        return concurrency.run(list, job, files)
    end
    local reporters, problem = report.open(options)
    if not reporters then
        complain(problem)
        return USAGE
    end
    local status, counts = concurrency.run(run_all, job, files, reporters)
    -- A name that no file knows may be a slip, by which another server was tested.
    for name in pairs(job.targets) do
        if not counts.targets[name] and counts.not_loaded + counts.file_errors == 0 then
            complain(name == "" and "no script declares an unnamed target: --target had no effect"
                or ("no script declares a target '%s': --target %s=... had no effect"):format(name, name))
        end
    end
    if status == NOTHING then
        complain(counts.defined > 0 and "no test was selected" or "no test ran: the scripts hold none")
    end
    return status
end

--- After a signal: the report of what had finished.
function M.interrupted(number)
    if not current then
        return
    end
    local event = {
        event = "run_end", t = core.unix_time(), counts = current.counts:summary(),
        duration = core.now() - current.started, interrupted = number,
    }
    current.reporters:event(event)
    current.reporters:finish()
end

return M
