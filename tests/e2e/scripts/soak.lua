-- 1,000 conversations of 100 round trips at the same time, again and again: one round for each line
-- on standard input. Prints what Lua holds after each.
local echolot = require "echolot"
local address, conversations, round_trips = ...
io.stdout:setvbuf "line"

local function converse(n)
    local peer <close> = echolot.connect(address, { timeout = 60 })
    for i = 1, round_trips do
        local text = n .. " " .. i
        peer:send(text, "\n")
        assert(peer:read() == text)
    end
end

local function round()
    local tasks = {}
    for n = 1, conversations do
        tasks[n] = echolot.spawn(converse, n)
    end
    for _, task in ipairs(tasks) do task:join() end
end

echolot.run(function()
    for _ in io.lines() do
        round()
        for _ = 1, 4 do
            collectgarbage()
            echolot.sleep(0)
        end
        print(("%.0f"):format(collectgarbage "count" * 1024))
    end
end)
