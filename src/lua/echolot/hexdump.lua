--- Bytes as rows of a hex dump: the offset of the first one, their values, and those that are ASCII as text.
local M = {}

local byte, format, gsub, rep, sub = string.byte, string.format, string.gsub, string.rep, string.sub
local min, select = math.min, select
local utf8_len = utf8.len

M.PER_ROW = 16

--- One row. A row that is short is filled up, so that the text of all of them stands in one column.
---@param bytes string
---@param first integer place of its first byte, from 1
---@param last integer place of its last byte; there may be fewer
---@param options? {per_row: integer?, shift: integer?} bytes in a row; what the offset shown is to be larger by
---@return string
function M.row(bytes, first, last, options)
    local per_row = options and options.per_row or M.PER_ROW
    local offset = first - 1 + (options and options.shift or 0)
    local part = sub(bytes, first, min(last, first + per_row - 1))
    local values = gsub(part, ".", function(one)
        return format("%02x ", byte(one))
    end)
    local text = gsub(part, "[^\32-\126]", ".")
    return format("%04x  %s%s |%s|", offset, values, rep("   ", per_row - #part), text)
end

--- Columns in front of the value of the byte at `position`, in a row that begins with `first`.
---@param first integer
---@param position integer
---@return integer
function M.column(first, position)
    return #format("%04x", first - 1) + 2 + 3 * (position - first)
end

local SAMPLE, FEWEST = 512, 4

--- Whether bytes are rather shown as hex than as text: every fourth one, or more, is none that text has, and there are
--- some. Only a sample around `position` is looked at.
---@param bytes string
---@param position? integer
---@return boolean
function M.is_binary(bytes, position)
    local from = position and position > SAMPLE // 2 and position - SAMPLE // 2 or 1
    local sample = sub(bytes, from, from + SAMPLE - 1)
    local _, control = gsub(sample, "[\0-\8\11\12\14-\31\127]", "")
    local wide = 0
    if not utf8_len(sample) then
        -- The characters at either end may be cut.
        local inner = gsub(gsub(sample, "^[\128-\191]+", ""), "[\192-\255][\128-\191]*$", "")
        if not utf8_len(inner) then
            wide = select(2, gsub(inner, "[\128-\255]", ""))
        end
    end
    local strange = control + wide
    return strange >= FEWEST and strange * 4 >= #sample
end

return M
