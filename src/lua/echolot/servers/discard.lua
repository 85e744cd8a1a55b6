--- The discard server (RFC 863): whatever comes is thrown away, nothing is sent.

local RECV_MAX = 64 << 10

---@type echolot.servers.definition
local M = {
    name = "discard",
    summary = "throws away what comes (RFC 863)",
    options = {},
}

---@param conn echolot.conn
function M.serve(conn)
    while conn:recv(RECV_MAX) ~= "" do end
end

--- By UDP too, nothing is sent.
function M.answerer()
    return function() end
end

return M
