-- Connects to names, all at once: PORT NAME...; what became of each, in order.
local echolot = require "echolot"
local port = math.tointeger((...))
local tasks = {}
for index, name in ipairs { select(2, ...) } do
    tasks[index] = echolot.spawn(function()
        local ok, conn = pcall(echolot.connect, name, port, { timeout = 30 })
        return name, ok and tostring(conn.peer) or tostring(conn)
    end)
end
for _, task in ipairs(tasks) do
    print(task:join())
end
