--- The daytime server (RFC 867): the date and time as a line of text, then the end.

---@type echolot.servers.definition
local M = {
    name = "daytime",
    summary = "tells date and time as a line of text (RFC 867)",
    options = {
        { name = "now", type = "integer", min = 0, max = 253402300799,
            help = "a Unix time to tell, instead of the clock's" },
    },
}

-- The RFC's own example reads "Tuesday, February 22, 1982 17:37:43-PST".
local FORMAT = "!%A, %B %d, %Y %H:%M:%S-UTC\r\n"

local function told(options)
    return os.date(FORMAT, options.now)
end

---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:send(told(options))
end

--- By UDP each datagram, whatever is in it, is answered.
---@param options table
function M.answerer(options)
    return function()
        return told(options)
    end
end

return M
