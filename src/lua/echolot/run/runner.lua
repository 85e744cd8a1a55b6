--- Runs the tests of one file, each in a task and a scope of its own, and tells what happened.
local assert_module = require "echolot.assert"
local busted = require "echolot.busted"
local busted_state = require "echolot.busted.state"
local core = require "echolot.core"
local inspect = require "echolot.inspect"
local limited = require "echolot.run.limited"
local record = require "echolot.run.record"
local suite = require "echolot.suite"
local verdict = require "echolot.property.verdict"

local M = {}

-- A test may have put stubs in the place of the library's functions.
local error, ipairs, pcall, tostring = error, ipairs, pcall, tostring
local concat, insert, move, pack, unpack = table.concat, table.insert, table.move, table.pack, table.unpack

---@class echolot.runner.job
---@field path string
---@field test_timeout number seconds
---@field ran {line: integer, name: string}[] tests that have run before, on workers that were lost
---@field fail_fast boolean
---@field timeout number seconds of each wait
---@field seed integer of the properties' cases

-- The groups around a test, outermost first.
local function lineage(test)
    local groups = {}
    local group = test.parent
    while group do
        insert(groups, 1, group)
        group = group.parent
    end
    return groups
end

local function call_all(list)
    for _, f in ipairs(list) do
        f()
    end
end

-- An error beside the one that the test ends with.
local function add_error(run, err)
    local is_news = err ~= suite.PENDING and not (core.error.is(err) and err.kind == "cancelled")
    if is_news then
        run.failed_checks[#run.failed_checks + 1] = record.error(err)
    end
end

-- What comes after the body, whether it failed or not: finally, then after_each from the inside
-- out, then the end of its spies. All are called; the first error of a test that has none yet is its own.
local function wind_up(run, groups)
    local steps = {}
    for i = #run.finally, 1, -1 do
        steps[#steps + 1] = run.finally[i]
    end
    for i = #groups, 1, -1 do
        move(groups[i].hooks.after_each, 1, #groups[i].hooks.after_each, #steps + 1, steps)
    end
    steps[#steps + 1] = function()
        run.snapshot:revert()
    end
    local passed, first_error = run.status == "pass", nil
    for _, step in ipairs(steps) do
        local ok, err = pcall(step)
        if not ok and passed and first_error == nil then
            first_error = err == nil and inspect.error(nil) or err
        elseif not ok then
            add_error(run, err)
        end
    end
    if first_error ~= nil then
        error(first_error, 0)
    end
end

local function status_of(run, ok, err, expired)
    if ok then
        return #run.failed_checks > 0 and "fail" or "pass"
    elseif expired then
        return "timeout"
    elseif err == suite.PENDING then
        return "skip"
    elseif core.error.is(err) and err.kind == "mismatch" then
        return "fail"
    end
    return "error"
end

-- Takes the outcome of one part of a test; the first that went wrong is the test's.
local function settle(run, limit, ok, err, traceback, expired)
    if run.status and run.status ~= "pass" or not ok and verdict.settle(run, err) then
        return
    end
    run.status = status_of(run, ok, err, expired)
    if run.status == "timeout" then
        run.error = {
            kind = "timeout", traceback = record.traceback(traceback),
            message = ("the test took longer than %.10g s (--test-timeout)"):format(limit),
        }
    elseif run.status == "fail" and ok then
        run.error = run.failed_checks[1]
    elseif not ok and run.status ~= "skip" then
        run.error = record.error(err, traceback)
    end
end

local function new_run(test, number)
    return {
        test = test, number = number, finally = {}, checks = 0, failed_checks = {}, facts = {},
        steps = {}, reason = test.reason,
    }
end

-- Runs a test that has a body; its result stands in `run` afterwards.
local function run_body(state, job, test, run)
    local groups = lineage(test)
    local scope = core.scope(true)
    local limit = job.test_timeout
    run.started = core.now()
    run.snapshot = busted_state.snapshot()
    state.running = run
    settle(run, limit, limited.run(scope, limit, function()
        for _, group in ipairs(groups) do
            call_all(group.hooks.before_each)
        end
        test.body()
    end))
    settle(run, limit, limited.run(scope, limit, function()
        wind_up(run, groups)
    end))
    local err, traceback = scope:close()
    if err ~= nil then
        settle(run, limit, false, err, traceback, false)
    end
    state.running = nil
    run.duration = record.microseconds(core.now() - run.started)
    if not run.transcript then -- that of a property is its last case's
        run.transcript, run.dropped = record.transcript(scope, run.started)
    end
end

local function target_of(state, test)
    local whom = test.is_conversation and (test.options.target or state.targets[1])
    whom = state.own_targets[whom] or whom
    if type(whom) == "table" then
        return rawget(whom, "address") -- not settled: no test has needed it
    end
    return whom or nil
end

local function emit_start(state, job, test, number)
    state.emit {
        event = "test_start", name = test.name, line = test.line,
        tags = test.tags, number = number, target = target_of(state, test),
    }
end

local function emit_end(state, job, test, run)
    state.emit {
        event = "test_end", name = test.name, line = test.line, tags = test.tags,
        number = run.number, target = target_of(state, test), status = run.status,
        duration = run.duration, error = run.error, reason = run.status == "skip" and run.reason or nil,
        checks = run.checks, failed_checks = #run.failed_checks > 0 and run.failed_checks or nil,
        facts = next(run.facts) and run.facts or nil, steps = #run.steps > 0 and run.steps or nil,
        property = run.property, transcript = run.transcript or core.json.array {}, transcript_dropped = run.dropped,
    }
end

local function run_test(state, job, test, number)
    local run = new_run(test, number)
    emit_start(state, job, test, number)
    if test.body then
        run_body(state, job, test, run)
    else
        run.status, run.duration = "skip", 0
    end
    emit_end(state, job, test, run)
    return run.status
end

-- A hook of a group failed: its tests cannot run, and each is told so.
local function fail_all(state, job, group, err)
    for _, child in ipairs(group.children) do
        if child.children then
            fail_all(state, job, child, err)
        elseif child.number then
            local run = new_run(child, child.number)
            run.status, run.duration, run.error = "error", 0, err
            emit_start(state, job, child, child.number)
            emit_end(state, job, child, run)
        end
    end
end

local run_group

local function run_children(state, job, group)
    for _, child in ipairs(group.children) do
        local status
        if child.children then
            status = run_group(state, job, child)
        elseif child.number then
            status = run_test(state, job, child, child.number)
        end
        if job.fail_fast and status and status ~= "pass" and status ~= "skip" then
            return status
        end
    end
end

-- Hooks of a group are the file's: what they open stays until the file ends.
local function run_hooks(state, job, list)
    if #list == 0 then
        return true
    end
    return limited.run(state.scope, job.test_timeout, function()
        call_all(list)
    end)
end

function run_group(state, job, group)
    local hooks = group.hooks
    local has_tests = group.has_tests
    if not has_tests and #hooks.strict_setup + #hooks.strict_teardown == 0 then
        return
    end
    local function hook(list)
        local ok, err, traceback = run_hooks(state, job, list)
        return ok, not ok and record.error(err, traceback) or nil
    end
    local leave = group.insulation and group.insulation()
    local ok, err = hook(hooks.strict_setup)
    if ok and has_tests then
        ok, err = hook(hooks.setup)
        if ok then
            ok, err = hook(hooks.lazy_setup)
        end
    end
    local status
    if ok then
        status = run_children(state, job, group)
    else
        err.message = "setup: " .. err.message
        fail_all(state, job, group, err)
        status = "error"
    end
    local down_ok, down_err = true, nil
    if has_tests then
        down_ok, down_err = hook(hooks.lazy_teardown)
        local ok_too, err_too = hook(hooks.teardown)
        down_ok, down_err = down_ok and ok_too, down_err or err_too
    end
    local strict_ok, strict_err = hook(hooks.strict_teardown)
    if leave then
        leave()
    end
    if not (down_ok and strict_ok) then
        down_err = down_err or strict_err
        down_err.message = "teardown: " .. down_err.message
        state.file_errors[#state.file_errors + 1] = down_err
        status = "error"
    end
    return status
end

-- The words that act while a test runs.
local function install_reporting(state, env)
    local function running(op)
        if not state.running then
            error(core.error.new { kind = "usage", op = op, message = "can be called within a test only" }, 0)
        end
        return state.running
    end
    local function on_check()
        if state.running then
            state.running.checks = state.running.checks + 1
        end
    end
    local function log(...)
        local parts = pack(...)
        for i = 1, parts.n do
            parts[i] = tostring(parts[i])
        end
        local text, run = concat(parts, "\t"), state.running
        if run and run.logs then -- of a case: whether it is told, is not known yet
            run.logs[#run.logs + 1] = text
        else
            state.emit { event = "log", text = text, name = run and run.test.name or nil }
        end
    end
    env.assert = assert_module.new(nil, on_check)
    env.check = assert_module.new(function(failure)
        local failed = running "check".failed_checks
        failed[#failed + 1] = record.error(failure)
    end, on_check)
    env.print = log
    env.log = log
    env.fact = function(name, value)
        running "fact".facts[record.fact_name(name)] = record.fact_value(value)
    end
    env.step = function(name, f, ...)
        local run = running "step"
        record.check_step(name, f)
        local entry = { name = tostring(name), t = record.microseconds(core.now() - run.started) }
        run.steps[#run.steps + 1] = entry
        local results = pack(pcall(f, ...))
        entry.duration = record.microseconds(core.now() - run.started - entry.t)
        entry.failed = not results[1] or nil
        if not results[1] then
            error(results[2], 0)
        end
        return unpack(results, 2, results.n)
    end
end

--- Makes the suite of a file that is about to be read, its words installed in `env`.
---@param job echolot.runner.job
---@param env table
---@param emit fun(event: table)
function M.prepare(job, env, emit)
    local state = suite.new()
    state.emit = function(event)
        event.path = job.path
        emit(event)
    end
    state.given_targets = job.targets or {}
    state.timeout, state.test_timeout, state.seed = job.timeout, job.test_timeout, job.seed or 0
    state.file_errors = {}
    state.scope = core.scope(false)
    suite.install(state, env)
    install_reporting(state, env)
    busted.install(env)
    return state
end

-- By which a test is known again when its file is read once more: its place among the others will not do, since they
-- may be made in a loop over `pairs`, which has an order of its own in each Lua state.
local function key_of(test)
    return ("%d %s"):format(test.line, core.text.to_utf8(test.name)) -- as events have the name
end

--- Numbers the tests that `selected` picks and that have not run before, in the order of the file.
---@param state echolot.suite.state
---@param selected fun(test: echolot.suite.test): boolean
---@param ran {line: integer, name: string}[]
---@return integer count of those that were picked
---@return integer defined of all that there are
function M.number(state, selected, ran)
    local count, defined, left = 0, 0, {}
    for _, test in ipairs(ran) do
        local key = key_of(test)
        left[key] = (left[key] or 0) + 1
    end
    local function has_run(test)
        local key = key_of(test)
        local times = left[key] or 0
        left[key] = times - 1
        return times > 0
    end
    local function walk(group)
        for _, child in ipairs(group.children) do
            defined = defined + (child.children and 0 or 1)
            if child.children then
                walk(child)
            elseif selected(child) then
                count = count + 1
                child.number = not has_run(child) and count or nil
                local up = child.number and group
                while up do
                    up.has_tests = true
                    up = up.parent
                end
            end
        end
    end
    walk(state.root)
    state.current = nil
    return count, defined
end

--- Calls `each` for every numbered test, in order.
function M.each(state, each)
    local function walk(group)
        for _, child in ipairs(group.children) do
            if child.children then
                walk(child)
            elseif child.number then
                each(child)
            end
        end
    end
    walk(state.root)
end

--- Runs them. The errors of the file itself (its teardowns).
function M.run(state, job)
    run_group(state, job, state.root)
    return state.file_errors
end

return M
