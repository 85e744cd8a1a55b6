--- All embedded servers as their modules describe them, in the order in which they are listed.

---@type echolot.servers.definition[]
local M = {}

for i, name in ipairs {
    "chargen", "connect_four", "daytime", "discard", "echo", "ics32", "qotd", "time",
} do
    M[i] = require("echolot.servers." .. name)
end

return M
