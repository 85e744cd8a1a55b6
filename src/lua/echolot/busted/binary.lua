--- `luassert.formatters.binarystring`: strings as hex dumps, for `assert:add_formatter`.
local hexdump = require "echolot.hexdump"

local concat = table.concat
local format, type = string.format, type

local ROWS = 64

---@param value any
---@return string? nil for what is no string
return function(value)
    if type(value) ~= "string" then
        return nil
    end
    local rows = { format("%d byte%s", #value, #value == 1 and "" or "s") }
    for first = 1, #value, hexdump.PER_ROW do
        if #rows > ROWS then
            rows[#rows + 1] = format("... %d more", #value - first + 1)
            break
        end
        rows[#rows + 1] = hexdump.row(value, first, #value)
    end
    return concat(rows, "\n")
end
