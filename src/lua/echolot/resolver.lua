--- Who looks names up: what `--resolver` says, made so.
local core = require "echolot.core"

local M = {}

-- A numeric address, with a port or without.
local function is_server(text)
    return text:find ":%d+$" == nil and text ~= "" or pcall(core.address, text)
end

local function check_servers(list)
    for server in (list .. ","):gmatch "(.-)," do
        if not is_server(server) then
            return false
        end
    end
    return true
end

--- Uses the resolver that the option's text names: "system", "dns", or "dns=SERVER,...".
---@param text? string nil: the system's
---@return boolean ok
---@return string? why not
function M.use(text)
    local servers = (text or "system"):match "^dns=(.+)$"
    if servers and not check_servers(servers) or not servers and text and text ~= "dns" and text ~= "system" then
        return false, ("bad resolver '%s' (system, dns or dns=SERVER,... expected)"):format(text)
    end
    local ok, err = pcall(core.set_resolver, servers and "dns" or text or "system", servers)
    return ok, not ok and err.message or nil
end

return M
