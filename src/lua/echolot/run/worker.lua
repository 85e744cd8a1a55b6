--- A worker's side of a run: takes a job, runs its file, sends events to the supervisor.
local core = require "echolot.core"
local host = require "echolot.host"
local record = require "echolot.run.record"
local resolver = require "echolot.resolver"
local runner = require "echolot.run.runner"
local script = require "echolot.run.script"
local assert_module = require "echolot.assert"

assert_module.make_error = core.error.new

local function emit(event)
    event.t = record.microseconds(core.unix_time())
    host.emit(core.json.encode(event) .. "\n")
end

-- Ending the process is not a worker's to do: the supervisor hears who did it, and where.
local function install_exit()
    local exit_now = host.exit_now
    function os.exit(code)
        local status = code == nil and 0 or code == true and 0 or code == false and 1 or code
        local info = debug.getinfo(2, "Sl")
        emit {
            event = "script_exit", status = math.type(status) == "integer" and status or 1,
            where = info and ("%s:%d"):format(info.short_src, info.currentline) or nil,
        }
        io.stdout:flush()
        exit_now(1)
    end
end

local function matches_any(name, patterns)
    for _, pattern in ipairs(patterns) do
        if name:find(pattern) then
            return true
        end
    end
    return false
end

local function selection(job)
    return function(test)
        if job.filter and not matches_any(test.name, job.filter) then
            return false
        end
        return not (job.filter_out and matches_any(test.name, job.filter_out))
    end
end

local function list_tests(state, job)
    runner.each(state, function(test)
        emit {
            event = "test_listed", name = test.name, path = job.path, line = test.line,
            tags = test.tags,
        }
    end)
end

-- Reads the file, which says what tests there are. nil, or the error of a file that does not load.
local function read_file(state, job)
    local chunk, why = script.load(job.file)
    if not chunk then
        return { kind = "load", message = why }
    end
    local task = state.scope:spawn(chunk)
    local err, traceback = state.unfinished, nil
    if not pcall(task.join, task) then
        err, traceback = task:failure()
    elseif not state.unfinished then
        return nil
    end
    local out = record.error(err, traceback)
    out.kind = "load"
    return out
end

local function run_file(job)
    script.set_package_path(job.file)
    local state = runner.prepare(job, _G, emit)
    emit { event = "file_start", path = job.path }
    local started = core.now()
    local err = read_file(state, job)
    local count, defined, file_errors = 0, 0, {}
    if not err then
        count, defined = runner.number(state, selection(job), job.ran)
        if job.list then
            list_tests(state, job)
        else
            file_errors = runner.run(state, job)
        end
    end
    local task_err, traceback = state.scope:close()
    if task_err ~= nil and not err then
        file_errors[#file_errors + 1] = record.error(task_err, traceback)
    end
    local declared = core.json.array {}
    for _, target in ipairs(state.targets) do
        declared[#declared + 1] = target.name or ""
    end
    emit {
        event = "file_end", path = job.path, targets = declared, tests = count, defined = defined, duration = record.microseconds(core.now() - started),
        status = (err or #file_errors > 0) and "error" or "pass", error = err or file_errors[1],
    }
end

return function(text)
    local job = assert(core.json.decode(text))
    job.file = job.path_hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
    core.set_timeout(job.timeout)
    assert(resolver.use(job.resolver))
    install_exit()
    local task = core.root:spawn(run_file, job)
    task:join()
end
