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

---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:send(os.date(FORMAT, options.now))
end

return M
