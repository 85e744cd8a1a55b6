--- The embedded servers: `servers.NAME(options)` gives what `target` takes and `echolot serve`
--- runs. It holds one function for each server, and nothing else.
local catalogue = require "echolot.servers.catalogue"
local server = require "echolot.servers.server"

---@class echolot.servers
---@field chargen fun(options?: table): echolot.server
---@field connect_four fun(options?: table): echolot.server
---@field daytime fun(options?: table): echolot.server
---@field discard fun(options?: table): echolot.server
---@field echo fun(options?: table): echolot.server
---@field ics32 fun(options?: table): echolot.server
---@field qotd fun(options?: table): echolot.server
---@field time fun(options?: table): echolot.server
local M = {}

for _, definition in ipairs(catalogue) do
    M[definition.name] = server.constructor(definition)
end

return M
