--- A conversation as a person reads it: who sent what when, a line of bytes a line.
local core = require "echolot.core"
local base64 = require "echolot.report.base64"

local M = {}

local WORDS = {
    open = "connected", eof = "the peer has finished sending", close = "closed",
    reset = "reset", tls = "TLS",
}

-- Lines of one event's bytes that are shown at most, from its start and from its end.
local SHOWN_HEAD, SHOWN_TAIL = 8, 3
local WIDTH = 96

-- Text is shown line by line, its ends as escapes; what is not text as escapes throughout.
local function split(bytes)
    local lines = {}
    for line in bytes:gmatch "[^\n]*\n?" do
        if line ~= "" then
            for at = 1, #line, WIDTH do
                lines[#lines + 1] = line:sub(at, at + WIDTH - 1)
            end
        end
    end
    return lines
end

local function quote(bytes)
    local text = bytes:gsub('[\\"]', "\\%0")
    return '"' .. core.text.for_terminal(text, false) .. '"'
end

local function data_lines(event)
    local data = event.data
    if data == nil then
        return {}
    end
    local bytes = type(data) == "table" and base64.decode(data.base64) or data
    local lines = split(bytes)
    local out = {}
    for i, line in ipairs(lines) do
        if i <= SHOWN_HEAD or i > #lines - SHOWN_TAIL then
            out[#out + 1] = quote(line)
        elseif i == SHOWN_HEAD + 1 then
            out[#out + 1] = ("... %d more lines ..."):format(#lines - SHOWN_HEAD - SHOWN_TAIL)
        end
    end
    if event.omitted then
        out[#out + 1] = ("(%d bytes between the start and the end were not kept)"):format(event.omitted)
    end
    return out
end

--- Appends the lines of a test's transcript to `out`; none where it held no conversation.
---@param test table
---@param style echolot.style
---@param indent string
---@param out string[]
function M.lines(test, style, indent, out)
    local events = test.transcript
    if type(events) ~= "table" or #events == 0 then
        return
    end
    local several = false
    for _, event in ipairs(events) do
        several = several or event.conn ~= events[1].conn
    end
    out[#out + 1] = ""
    out[#out + 1] = indent .. style.paint("dim", several and "conversations:"
        or ("conversation with %s:"):format(core.text.for_terminal(tostring(events[1].peer or "?"), false)))
    if test.transcript_dropped then
        out[#out + 1] = indent .. style.paint("dim", ("  (%d earlier events were not kept)"):format(test.transcript_dropped))
    end
    for _, event in ipairs(events) do
        local who = several and ("%d %s "):format(event.conn, core.text.for_terminal(tostring(event.peer or "?"), false)) or ""
        local time = style.paint("dim", ("%9.1f ms  %s"):format(event.t * 1000, who))
        if event.dir == "send" or event.dir == "recv" then
            local sent = event.dir == "send"
            local arrow = style.paint(sent and "cyan" or "yellow", sent and style.symbols.sent or style.symbols.received)
            local blank = (" "):rep(14 + utf8.len(who))
            for i, line in ipairs(data_lines(event)) do
                out[#out + 1] = ("%s%s%s %s"):format(indent, i == 1 and time or blank, i == 1 and arrow or " ", line)
            end
        else
            out[#out + 1] = ("%s%s%s"):format(indent, time, style.paint("dim", event.half and "finished sending" or WORDS[event.dir] or event.dir))
        end
    end
end

return M
