--- What an echo server takes for one message: a line, what one receive gave, a block of n
--- bytes. Each function here takes a `recv()` that gives some bytes, "" at the end, and returns
--- a `next_frame()` that gives the text, then the line's end ("\n", "\r\n" or ""), then true
--- where the client's FIN cut the frame short; nil at the end.
local M = {}

-- Pieces of a growing text of at least this size stay as they are.
local PIECE_MAX = 64 << 10
local CR = 13

-- A text that grows at its end, in time linear to its length however small the additions:
-- small pieces are joined as soon as the next is as long.
---@class echolot.servers.rope
---@field size integer bytes
local rope = {}
rope.__index = rope

--- An empty one.
---@return echolot.servers.rope
function M.rope()
    return setmetatable({ size = 0 }, rope)
end

--- Appends.
---@param piece string
function rope:add(piece)
    if piece == "" then
        return
    end
    local n = #self + 1
    self[n] = piece
    self.size = self.size + #piece
    while n > 1 and #self[n] < PIECE_MAX and #self[n - 1] <= #self[n] do
        self[n - 1] = self[n - 1] .. self[n]
        self[n] = nil
        n = n - 1
    end
end

function rope:last_byte()
    return self.size > 0 and self[#self]:byte(-1) or nil
end

--- Empties it; its whole text.
---@return string
function rope:take()
    local text = table.concat(self)
    for i = #self, 1, -1 do
        self[i] = nil
    end
    self.size = 0
    return text
end

---@alias echolot.servers.overflow "truncate"|"split"|"close"
---@alias echolot.servers.next_frame fun(): string?, string?, boolean?

---@class echolot.servers.line_reader
local reader = {}
reader.__index = reader

-- Length of the line's text as far as it is known, without a CR that may belong to its end;
-- and whether there is such a CR.
function reader:known()
    local stop = self.lf and self.lf - 1 or #self.chunk
    local size = self.held.size + stop - self.at + 1
    local last = stop >= self.at and self.chunk:byte(stop) or self.held:last_byte()
    local has_cr = last == CR and not (self.ended and not self.lf)
    return has_cr and size - 1 or size, has_cr
end

-- Takes `n` bytes of the line, which are there.
function reader:take(n)
    local held = self.held
    local from_chunk = n - held.size
    if held.size == 0 then -- as most lines come: whole, in one chunk
        local at = self.at
        self.at = at + n
        return self.chunk:sub(at, at + n - 1)
    elseif from_chunk >= 0 then
        held:add(self.chunk:sub(self.at, self.at + from_chunk - 1))
        self.at = self.at + from_chunk
        return held:take()
    end
    local text = held:take()
    held:add(text:sub(n + 1))
    return text:sub(1, n)
end

-- Takes the rest of a line whose LF is there; its text and its end.
function reader:take_line()
    local size, has_cr = self:known()
    local text = self:take(size)
    self.held:take() -- of the end, a CR that came alone
    self.at = self.lf + 1
    self.lf = self.chunk:find("\n", self.at, true)
    return text, has_cr and "\r\n" or "\n"
end

-- Receives more, what is left of the chunk being kept. False at the client's FIN.
function reader:receive()
    if self.ended then
        return false
    end
    if self.at <= #self.chunk then
        self.held:add(self.chunk:sub(self.at))
    end
    self.chunk, self.at, self.lf = self.recv(), 1, nil
    if self.chunk == "" then
        self.ended = true
        return false
    end
    self.lf = self.chunk:find("\n", 1, true)
    return true
end

-- Drops bytes up to the line's end, which is returned; "", true where a FIN comes first.
function reader:skip_line()
    while not self.lf do
        local last = #self.chunk >= self.at and self.chunk:byte(-1) or self.held:last_byte()
        self.held:take()
        self.at = #self.chunk + 1
        if last == CR then
            self.held:add "\r"
        end
        if not self:receive() then
            self.held:take()
            return "", true
        end
    end
    local _, ending = self:take_line()
    return ending, false
end

-- A frame of a line that is longer than the limit; nil to end the conversation.
function reader:overflowing()
    if self.overflow == "close" then
        return nil
    end
    local text = self:take(self.limit)
    if self.overflow == "split" then
        return text, "\n"
    end
    return text, self:skip_line()
end

function reader:next()
    while true do
        local size = self:known()
        if size > self.limit then
            return self:overflowing()
        elseif self.lf then
            return self:take_line()
        elseif not self:receive() then
            size = self:known()
            if size > self.limit then
                return self:overflowing()
            elseif size > 0 then
                return self:take(size), "", true
            end
            return nil
        end
    end
end

--- Lines, with LF or CRLF at their end. What exceeds `limit` bytes (the end not counted) is
--- cut off, or made into lines of their own that end with LF, or ends the frames.
---@param recv fun(): string
---@param limit integer
---@param overflow echolot.servers.overflow
---@return echolot.servers.next_frame
function M.lines(recv, limit, overflow)
    local self = setmetatable({
        recv = recv, limit = limit, overflow = overflow,
        chunk = "", at = 1, lf = nil, -- the next LF in the chunk from `at` on
        held = M.rope(), -- of the current line, what came in earlier chunks
        ended = false,
    }, reader)
    return function()
        return self:next()
    end
end

--- Whatever one receive gives.
---@param recv fun(): string
---@return echolot.servers.next_frame
function M.chunks(recv)
    return function()
        local chunk = recv()
        if chunk ~= "" then
            return chunk, ""
        end
    end
end

--- Blocks of `size` bytes; the last one may be shorter.
---@param recv fun(): string
---@param size integer
---@return echolot.servers.next_frame
function M.blocks(recv, size)
    local held = M.rope()
    local chunk, at = "", 1
    return function()
        while chunk do
            local wanted = size - held.size
            if #chunk - at + 1 >= wanted then
                held:add(chunk:sub(at, at + wanted - 1))
                at = at + wanted
                return held:take(), ""
            end
            if at <= #chunk then
                held:add(chunk:sub(at))
            end
            chunk, at = recv(), 1
            if chunk == "" then
                chunk = nil
            end
        end
        if held.size > 0 then
            return held:take(), "", true
        end
    end
end

--- The same rule of length for frames that are no lines.
---@param next_frame echolot.servers.next_frame
---@param limit integer
---@param overflow echolot.servers.overflow
---@return echolot.servers.next_frame
function M.limited(next_frame, limit, overflow)
    local text, ending, cut
    local at = 1
    return function()
        if not text or at > #text then
            text, ending, cut = next_frame()
            at = 1
        end
        if not text or #text > limit and overflow == "close" then
            return nil
        end
        local piece = text:sub(at, at + limit - 1)
        at = overflow == "split" and at + limit or #text + 1
        return piece, ending, cut
    end
end

return M
