--- The time server (RFC 868): the seconds since 1900 as a 32-bit number, then the end.

-- From 1900-01-01, where the RFC's time begins, to 1970-01-01, where Unix's does.
local UNIX_EPOCH = 2208988800

---@type echolot.servers.definition
local M = {
    name = "time",
    summary = "tells the seconds since 1900 as 32 bits, big-endian (RFC 868)",
    options = {
        { name = "now", type = "integer", min = 0, max = 253402300799,
            help = "a Unix time to tell, instead of the clock's" },
    },
}

-- In 2036 the 32 bits begin anew.
local function told(options)
    return string.pack(">I4", ((options.now or os.time()) + UNIX_EPOCH) & 0xFFFFFFFF)
end

---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:send(told(options))
end

--- By UDP each datagram is answered: the RFC's client sends an empty one.
---@param options table
function M.answerer(options)
    return function()
        return told(options)
    end
end

return M
