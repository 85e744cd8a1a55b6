--- Concurrency built upon tasks and waiters: parallel, timeout, barriers, channels, servers.
local core = require "echolot.core"

local M = {}

---@param op string
---@param message string
local function usage(op, message)
    error(core.error.new { kind = "usage", op = op, message = message }, 0)
end

--- Runs `f(...)` and everything that it spawns, and returns what `f` does. Raises the first
--- error of a spawned task that nobody joined.
function M.run(f, ...)
    if type(f) ~= "function" then
        usage("run", "a function is expected, got " .. type(f))
    end
    local scope <close> = setmetatable({ inner = core.scope(false) }, {
        __close = function(self)
            self.inner:close()
        end,
    })
    local task = scope.inner:spawn(f, ...)
    local results = table.pack(task:join())
    local err = scope.inner:join()
    if err ~= nil then
        error(err, 0)
    end
    return table.unpack(results, 1, results.n)
end

--- Runs all functions at once; their first results, in order, once all have ended. The first
--- error cancels the others and is raised.
function M.parallel(...)
    local functions = table.pack(...)
    for i = 1, functions.n do
        if type(functions[i]) ~= "function" then
            usage("parallel", ("function expected as argument %d, got %s"):format(
                i, type(functions[i])))
        end
    end
    local waiter = core.waiter()
    local left = functions.n
    local results, tasks = {}, {}
    local function one(i)
        local ok, value = pcall(functions[i])
        left = left - 1
        if not ok then
            waiter:wake(true, value)
        else
            results[i] = value
            if left == 0 then
                waiter:wake(false)
            end
        end
    end
    if left == 0 then
        return
    end
    for i = 1, functions.n do
        tasks[i] = core.spawn(one, i)
    end
    local guard <close> = setmetatable({}, {
        __close = function()
            for _, task in ipairs(tasks) do
                task:cancel()
            end
        end,
    })
    local failed, err = waiter:wait()
    if failed then
        for _, task in ipairs(tasks) do
            task:cancel()
        end
        for _, task in ipairs(tasks) do
            pcall(task.join, task)
        end
        error(err, 0)
    end
    return table.unpack(results, 1, functions.n)
end

local function check_seconds(op, seconds)
    if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
        usage(op, "a number of seconds is expected, got " .. tostring(seconds))
    end
end

--- Calls `f(...)` and returns its results; past `seconds` it is cancelled, and `timeout` raised.
function M.timeout(seconds, f, ...)
    check_seconds("timeout", seconds)
    if type(f) ~= "function" then
        usage("timeout", "a function is expected, got " .. type(f))
    end
    local expired = false
    local task = core.spawn(f, ...)
    local timer = core.spawn(function()
        core.sleep(seconds)
        expired = true
        task:cancel()
    end)
    local guard <close> = setmetatable({}, {
        __close = function()
            timer:cancel()
            task:cancel()
        end,
    })
    local results = table.pack(pcall(task.join, task))
    if results[1] then
        return table.unpack(results, 2, results.n)
    end
    local err = results[2]
    if expired and core.error.is(err) and err.kind == "cancelled" then
        error(core.error.new {
            kind = "timeout", op = "timeout", message = ("timeout after %.10g s"):format(seconds),
        }, 0)
    end
    error(err, 0)
end

-- A first-in, first-out line.
local function new_line()
    return { first = 1, last = 0 }
end

local function append(line, value)
    line.last = line.last + 1
    line[line.last] = value
end

local function length(line)
    return line.last - line.first + 1
end

local function take_first(line)
    if line.first > line.last then
        return nil
    end
    local value = line[line.first]
    line[line.first] = nil
    line.first = line.first + 1
    return value
end

---@class echolot.barrier
local barrier = {}
barrier.__index = barrier
barrier.__name = "echolot.barrier"

--- Waits until `n` tasks wait here, then lets all of them go; it can be used again.
function barrier:wait()
    local waiting = {}
    for _, waiter in ipairs(self.waiters) do
        if waiter:is_pending() then -- its task was not cancelled
            waiting[#waiting + 1] = waiter
        end
    end
    if #waiting + 1 < self.n then
        local waiter = core.waiter()
        waiting[#waiting + 1] = waiter
        self.waiters = waiting
        waiter:wait()
        return self
    end
    self.waiters = {}
    for _, waiter in ipairs(waiting) do
        waiter:wake()
    end
    return self
end

--- A meeting point for `n` tasks.
function M.barrier(n)
    if math.type(n) ~= "integer" or n < 1 then
        usage("barrier", "a whole number from 1 is expected, got " .. tostring(n))
    end
    return setmetatable({ n = n, waiters = {} }, barrier)
end

---@class echolot.channel
local channel = {}
channel.__index = channel
channel.__name = "echolot.channel"

--- Hands `value` over; waits while the channel holds as many values as its size allows.
function channel:put(value)
    if value == nil then
        usage("put", "nil cannot be put: it is what get returns at the end")
    elseif self.closed then
        usage("put", "the channel is closed")
    end
    local getter = take_first(self.getters)
    while getter do
        if getter:wake(value) then -- false: its task was cancelled
            return self
        end
        getter = take_first(self.getters)
    end
    if length(self.values) < self.size then
        append(self.values, value)
        return self
    end
    local waiter = core.waiter()
    append(self.putters, { value = value, waiter = waiter })
    waiter:wait()
    return self
end

-- The value of the first putter that still waits, who may go on.
local function take_from_putter(self)
    local putter = take_first(self.putters)
    while putter do
        if putter.waiter:wake() then
            return putter.value
        end
        putter = take_first(self.putters)
    end
end

--- The next value, waiting for one; nil once the channel is closed and empty.
function channel:get()
    local value = take_first(self.values)
    if value == nil then
        value = take_from_putter(self)
    else
        local next_value = take_from_putter(self)
        if next_value ~= nil then
            append(self.values, next_value)
        end
    end
    if value ~= nil or self.closed then
        return value
    end
    local waiter = core.waiter()
    append(self.getters, waiter)
    return waiter:wait()
end

--- No more can be put; what it holds, and what putters wait with, can still be got.
function channel:close()
    self.closed = true
    local getter = take_first(self.getters)
    while getter do
        getter:wake(nil)
        getter = take_first(self.getters)
    end
    return self
end

--- A line of values from task to task. `size` values fit before put waits (0: none).
function M.channel(size)
    size = size == nil and 0 or size
    if math.type(size) ~= "integer" or size < 0 then
        usage("channel", "a whole number from 0 is expected, got " .. tostring(size))
    end
    return setmetatable({
        size = size, values = new_line(), getters = new_line(), putters = new_line(), closed = false,
    }, channel)
end

--- Listens at `address` and runs `f(conn)` in a task for each client; the listener. A client's
--- error ends that client's connection only.
function M.serve(address, f, options)
    if type(f) ~= "function" then
        usage("serve", "a function is expected, got " .. type(f))
    end
    local listener = core.listen(address, options)
    core.spawn(function()
        listener:timeout(math.huge)
        while true do
            local ok, conn = pcall(listener.accept, listener)
            if ok then
                core.spawn(function()
                    local client <close> = conn
                    pcall(f, client)
                end)
            elseif conn.kind == "usage" or conn.kind == "cancelled" then
                return -- the listener is closed, or the task is to end
            else
                core.sleep(0.01) -- out of descriptors, say: clients wait until some end
            end
        end
    end)
    return listener
end

return M
