-- Many connections on which nothing comes, each with a coroutine waiting for a line: what
-- one more of them adds to the resident memory of the process.
--
--   echolot run idle.lua HOST PORT CONNECTIONS

local echolot = require "echolot"
local host, port, connections = ...
port, connections = math.tointeger(port), math.tointeger(connections)

-- As many as may be under way at once: fewer than a server's listen queue holds.
local BATCH = 100

-- The number after `name` in a file of /proc.
local function number_in(path, name)
    local file <close> = assert(io.open(path))
    local found = file:read("a"):match("\n" .. name .. "%s+(%d+)")
    return math.tointeger(found) or error(path .. ": no number for " .. name)
end

local function resident_kib()
    collectgarbage()
    collectgarbage() -- what the first round finalized goes in the second
    return number_in("/proc/self/status", "VmRSS:")
end

-- Says on `ready` how connecting went, then waits for a line that never comes.
local function wait_for_a_line(ready)
    local ok, conn = pcall(echolot.connect, host, port, { timeout = 3600 })
    ready:put(ok or tostring(conn))
    if ok then
        conn:read "l"
    end
end

local files = number_in("/proc/self/limits", "Max open files")
if files < connections + 32 then
    local text = "%d open files are needed, the limit is %d (ulimit -n)"
    error(text:format(connections + 32, files))
end

local ready = echolot.channel(BATCH)
local tasks = {}
local before_kib = resident_kib()
for first = 1, connections, BATCH do
    local last = math.min(first + BATCH - 1, connections)
    for number = first, last do
        tasks[number] = echolot.spawn(wait_for_a_line, ready)
    end
    for _ = first, last do
        local outcome = ready:get()
        if outcome ~= true then
            error(("of %d connections the %dth: %s"):format(connections, first, outcome))
        end
    end
end
-- A connection more: while it is being made, the last of the tasks come to their wait.
echolot.connect(host, port):close()
local after_kib = resident_kib()

local text = "connections=%d before_kib=%d after_kib=%d"
print(text:format(connections, before_kib, after_kib))
for _, task in ipairs(tasks) do
    task:cancel()
end
