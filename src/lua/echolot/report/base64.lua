--- Reading base64 (RFC 4648 section 4), as reports carry bytes that are no text.
local M = {}

local VALUES = {}
for i = 0, 63 do
    VALUES[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i
end

--- The bytes of base64 text; characters that are none of it are passed over.
---@param text string
---@return string
function M.decode(text)
    local out, bits, held = {}, 0, 0
    for i = 1, #text do
        local value = VALUES[text:byte(i)]
        if value then
            held = held << 6 | value
            bits = bits + 6
            if bits >= 8 then
                bits = bits - 8
                out[#out + 1] = string.char(held >> bits & 0xff)
                held = held & ((1 << bits) - 1)
            end
        end
    end
    return table.concat(out)
end

return M
