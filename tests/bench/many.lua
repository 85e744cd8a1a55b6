-- Many connections at once, a coroutine each, a line to and fro on every one of them:
-- what epoll_client.c and uv_client.c do, as a script.
--
--   echolot run many.lua HOST PORT CONNECTIONS ROUNDS   (round trips of each connection)

local echolot = require "echolot"
local host, port, connections, rounds = ...
port, connections, rounds =
    math.tointeger(port), math.tointeger(connections), math.tointeger(rounds)

-- So long only because strace slows everything down.
local options = { timeout = 60 }

-- Each connection says a line of its own, so that a mix-up between them is noticed.
local function converse(number)
    local text = ("%031d"):format(number)
    local line = text .. "\n"
    local conn <close> = echolot.connect(host, port, options)
    for _ = 1, rounds do
        conn:send(line)
        if conn:read "l" ~= text then
            error("connection " .. number .. ": the line that came back is another one")
        end
    end
    return rounds
end

local started = echolot.now()
local tasks = {}
for number = 1, connections do
    tasks[number] = echolot.spawn(converse, number)
end
local round_trips = 0
for _, task in ipairs(tasks) do
    round_trips = round_trips + task:join()
end
local wall_ns = (echolot.now() - started) * 1e9 // 1 | 0
local text = "round_trips=%d bytes=%d wall_ns=%d"
print(text:format(round_trips, round_trips * 32, wall_ns))
