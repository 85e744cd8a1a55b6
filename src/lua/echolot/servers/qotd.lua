--- The quote of the day (RFC 865): a short text, then the end.

-- RFC 865: "less than 512 characters"; the CR LF at the end is ours.
local QUOTE_MAX = 509

local QUOTES = {
    "A stream has no seams: the cuts you see are the network's, not the sender's.",
    "Whoever waits without a limit has decided to wait for ever.",
    "Two polite programs, each letting the other speak first, are silent for good.",
    "The empty answer is an answer, too: it says that nothing more will come.",
    "A full buffer is the receiver's way of saying: not so fast.",
    "An echo proves that somebody was there a moment ago.",
    "Half a letter is a letter that has not arrived yet.",
}

---@type echolot.servers.definition
local M = {
    name = "qotd",
    summary = "sends a short quote (RFC 865)",
    options = {
        { name = "quotes", type = "texts", line_max = QUOTE_MAX, default = QUOTES,
            help = "what is sent, one to each client, in turn" },
    },
}

-- How many clients each list of quotes has had.
local turns = setmetatable({}, { __mode = "k" })

local function next_quote(options)
    local quotes = options.quotes
    local turn = turns[options] or 0
    turns[options] = turn + 1
    return quotes[turn % #quotes + 1]:gsub("\r?\n", "\r\n") .. "\r\n"
end

---@param conn echolot.conn
---@param options table
function M.serve(conn, options)
    conn:send(next_quote(options))
end

--- By UDP each datagram, whatever is in it, is answered.
---@param options table
function M.answerer(options)
    return function()
        return next_quote(options)
    end
end

return M
