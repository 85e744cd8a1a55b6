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

-- A line of those who wait. One whose task was cancelled meanwhile is passed over.
local function wake_first(waiters, ...)
    while #waiters > 0 do
        if table.remove(waiters, 1):wake(...) then
            return true
        end
    end
    return false
end

---@class echolot.barrier
local barrier = {}
barrier.__index = barrier
barrier.__name = "echolot.barrier"

--- Waits until `n` tasks wait here, then lets all of them go; it can be used again.
function barrier:wait()
    self.waiting = self.waiting + 1
    if self.waiting < self.n then
        local waiter = core.waiter()
        table.insert(self.waiters, waiter)
        local arrived = false
        local guard <close> = setmetatable({}, {
            __close = function()
                if not arrived then
                    self.waiting = self.waiting - 1
                end
            end,
        })
        waiter:wait()
        arrived = true
        return self
    end
    local waiters = self.waiters
    self.waiters, self.waiting = {}, 0
    for _, waiter in ipairs(waiters) do
        waiter:wake()
    end
    return self
end

--- A meeting point for `n` tasks.
function M.barrier(n)
    if math.type(n) ~= "integer" or n < 1 then
        usage("barrier", "a whole number from 1 is expected, got " .. tostring(n))
    end
    return setmetatable({ n = n, waiting = 0, waiters = {} }, barrier)
end

---@class echolot.channel
local channel = {}
channel.__index = channel
channel.__name = "echolot.channel"

--- Hands `value` over; waits while the channel holds as many values as its size allows.
function channel:put(value)
    if value == nil then
        usage("put", "nil cannot be put: it is what get returns at the end")
    end
    if self.closed then
        usage("put", "the channel is closed")
    end
    if wake_first(self.getters, value) then
        return self
    end
    self.last = self.last + 1
    self.values[self.last] = value
    if self.last - self.first + 1 <= self.size then
        return self
    end
    -- The value waits in the line itself; who takes it wakes us.
    local at = self.last
    local waiter = core.waiter()
    self.putters[at] = waiter
    local taken = false
    local guard <close> = setmetatable({}, {
        __close = function()
            if not taken and self.putters[at] == waiter then
                self.putters[at] = nil
                self.values[at] = self -- a mark: passed over
            end
        end,
    })
    local dropped = waiter:wait()
    taken = true
    if dropped then
        usage("put", "the channel was closed before the value was taken")
    end
    return self
end

-- Takes the next value that is still there; nil where there is none.
local function take(self)
    while self.first <= self.last do
        local at = self.first
        local value = self.values[at]
        self.values[at] = nil
        self.first = at + 1
        -- One more fits now: who has waited for that may go on.
        local fits = self.first + self.size - 1
        local waiter = self.putters[fits]
        if waiter then
            self.putters[fits] = nil
            waiter:wake(false)
        end
        if value ~= self then
            return value
        end
    end
end

--- The next value, waiting for one; nil once the channel is closed and empty.
function channel:get()
    local value = take(self)
    if value ~= nil or self.closed then
        return value
    end
    local waiter = core.waiter()
    table.insert(self.getters, waiter)
    return waiter:wait()
end

--- No more can be put; what it holds can still be got.
function channel:close()
    if self.closed then
        return self
    end
    self.closed = true
    for _, waiter in ipairs(self.getters) do
        waiter:wake(nil)
    end
    self.getters = {}
    return self
end

--- A line of values from task to task. `size` values fit before put waits (0: none).
function M.channel(size)
    size = size == nil and 0 or size
    if math.type(size) ~= "integer" or size < 0 then
        usage("channel", "a whole number from 0 is expected, got " .. tostring(size))
    end
    return setmetatable({
        size = size, values = {}, first = 1, last = 0, getters = {}, putters = {}, closed = false,
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
            elseif conn.kind ~= "limit" then
                return -- closed, or cancelled
            else
                core.sleep(0.01) -- out of descriptors: clients wait until some end
            end
        end
    end)
    return listener
end

return M
