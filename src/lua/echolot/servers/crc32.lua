--- CRC-32 as Ethernet, gzip and PNG use it (IEEE 802.3; RFC 1952 section 8).
local M = {}

local POLYNOMIAL = 0xEDB88320 -- its bits reversed: the lowest goes first

-- TABLES[k][b]: what byte b does to the sum when k more bytes follow it.
local TABLES = { [0] = {} }
for byte = 0, 255 do
    local sum = byte
    for _ = 1, 8 do
        sum = sum & 1 == 1 and sum >> 1 ~ POLYNOMIAL or sum >> 1
    end
    TABLES[0][byte] = sum
end
for k = 1, 3 do
    TABLES[k] = {}
    for byte = 0, 255 do
        local sum = TABLES[k - 1][byte]
        TABLES[k][byte] = sum >> 8 ~ TABLES[0][sum & 0xFF]
    end
end

--- The checksum of `data`.
---@param data string
---@return integer from 0 to 2^32 - 1
function M.sum(data)
    local t0, t1, t2, t3 = TABLES[0], TABLES[1], TABLES[2], TABLES[3]
    local unpack = string.unpack
    local sum = 0xFFFFFFFF
    local whole = #data - #data % 4
    -- Four bytes a step: a long line holds up the other clients less.
    for at = 1, whole, 4 do
        sum = sum ~ unpack("<I4", data, at)
        sum = t3[sum & 0xFF] ~ t2[sum >> 8 & 0xFF] ~ t1[sum >> 16 & 0xFF] ~ t0[sum >> 24]
    end
    for at = whole + 1, #data do
        sum = sum >> 8 ~ t0[(sum ~ data:byte(at)) & 0xFF]
    end
    return sum ~ 0xFFFFFFFF
end

return M
