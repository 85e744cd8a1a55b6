--- Text by the columns that it takes on a terminal.
local M = {}

local byte, find, gmatch, match, rep, sub = string.byte, string.find, string.gmatch, string.match, string.rep, string.sub
local concat, insert = table.concat, table.insert
local next, pcall = next, pcall
local codepoint = utf8.codepoint

-- Code points that take two columns (East Asian wide and full-width ones, emoji): first and last, in order.
local WIDE = {
    { 0x1100, 0x115F }, { 0x231A, 0x231B }, { 0x2329, 0x232A }, { 0x23E9, 0x23EC }, { 0x23F0, 0x23F0 },
    { 0x23F3, 0x23F3 }, { 0x25FD, 0x25FE }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 }, { 0x267F, 0x267F },
    { 0x2693, 0x2693 }, { 0x26A1, 0x26A1 }, { 0x26AA, 0x26AB }, { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 },
    { 0x26CE, 0x26CE }, { 0x26D4, 0x26D4 }, { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 },
    { 0x26FA, 0x26FA }, { 0x26FD, 0x26FD }, { 0x2705, 0x2705 }, { 0x270A, 0x270B }, { 0x2728, 0x2728 },
    { 0x274C, 0x274C }, { 0x274E, 0x274E }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 }, { 0x2795, 0x2797 },
    { 0x27B0, 0x27B0 }, { 0x27BF, 0x27BF }, { 0x2B1B, 0x2B1C }, { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 },
    { 0x2E80, 0x303E }, { 0x3041, 0xA4CF }, { 0xA960, 0xA97F }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF },
    { 0xFE10, 0xFE19 }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x16FE0, 0x18CFF },
    { 0x1AFF0, 0x1B2FF }, { 0x1F004, 0x1F004 }, { 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A },
    { 0x1F200, 0x1F320 }, { 0x1F32D, 0x1F335 }, { 0x1F337, 0x1F37C }, { 0x1F37E, 0x1F393 }, { 0x1F3A0, 0x1F3CA },
    { 0x1F3CF, 0x1F3D3 }, { 0x1F3E0, 0x1F3F0 }, { 0x1F3F4, 0x1F3F4 }, { 0x1F3F8, 0x1F43E }, { 0x1F440, 0x1F440 },
    { 0x1F442, 0x1F4FC }, { 0x1F4FF, 0x1F53D }, { 0x1F54B, 0x1F567 }, { 0x1F57A, 0x1F57A }, { 0x1F595, 0x1F596 },
    { 0x1F5A4, 0x1F5A4 }, { 0x1F5FB, 0x1F64F }, { 0x1F680, 0x1F6C5 }, { 0x1F6CC, 0x1F6CC }, { 0x1F6D0, 0x1F6D7 },
    { 0x1F6DC, 0x1F6DF }, { 0x1F6EB, 0x1F6EC }, { 0x1F6F4, 0x1F6FC }, { 0x1F7E0, 0x1F7F0 }, { 0x1F90C, 0x1F9FF },
    { 0x1FA70, 0x1FAFF }, { 0x20000, 0x3FFFD },
}

-- Those that stand upon the character before them: combining marks of the scripts that are met most.
local JOINED = {
    { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x0610, 0x061A }, { 0x064B, 0x065F },
    { 0x06D6, 0x06DC }, { 0x0900, 0x0902 }, { 0x093C, 0x093C }, { 0x0941, 0x0948 }, { 0x094D, 0x094D },
    { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },
    { 0x200B, 0x200F }, { 0x20D0, 0x20FF }, { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
}

---@param ranges {[1]: integer, [2]: integer}[]
---@param code integer
---@return boolean
local function is_among(ranges, code)
    for _, range in next, ranges do
        if code <= range[2] then
            return code >= range[1]
        end
    end
    return false
end

---@param character string one, in UTF-8
---@return integer columns
local function character_width(character)
    local ok, code = pcall(codepoint, character)
    if not ok or code < 0x300 then
        return 1
    end
    return is_among(JOINED, code) and 0 or is_among(WIDE, code) and 2 or 1
end

-- What is not to be cut apart: an escape as `echolot.inspect` writes them, or one character.
---@param text string
---@param at integer
---@return string
local function piece_at(text, at)
    if byte(text, at) == 92 then
        return match(text, "^\\x%x%x", at) or match(text, "^\\u{%x+}", at) or match(text, "^\\.", at) or "\\"
    end
    return match(text, "^[\192-\255][\128-\191]*", at) or sub(text, at, at)
end

--- The columns that a text without control bytes takes.
---@param text string
---@return integer
function M.width(text)
    if not find(text, "[\128-\255]") then
        return #text
    end
    local total, at = 0, 1
    while at <= #text do
        local piece = match(text, "^[\192-\255][\128-\191]*", at) or sub(text, at, at)
        total, at = total + character_width(piece), at + #piece
    end
    return total
end

--- The text in pieces of at most `limit` columns, whatever its words. No escape and no character is cut.
---@param text string
---@param limit integer
---@return string[]
function M.chunks(text, limit)
    if #text <= limit then
        return { text }
    end
    local list, start, at, used = {}, 1, 1, 0
    while at <= #text do
        local piece = piece_at(text, at)
        local width = #piece > 1 and byte(piece) ~= 92 and character_width(piece) or #piece
        if used + width > limit and at > start then
            list[#list + 1] = sub(text, start, at - 1)
            start, used = at, 0
        end
        at, used = at + #piece, used + width
    end
    list[#list + 1] = sub(text, start)
    return list
end

--- The text in lines of at most `limit` columns, broken between words where that can be.
---@param text string
---@param limit integer
---@return string[]
function M.wrap(text, limit)
    if M.width(text) <= limit then
        return { text }
    end
    local list, line = {}, ""
    for blank, word in gmatch(text, "( *)([^ ]+)") do
        if line ~= "" and M.width(line) + #blank + M.width(word) > limit then
            list[#list + 1] = line
            line, blank = "", ""
        end
        local parts = M.chunks(line .. blank .. word, limit)
        for index = 1, #parts - 1 do
            list[#list + 1] = parts[index]
        end
        line = parts[#parts]
    end
    list[#list + 1] = line
    return list
end

--- What of the text stands in the columns from `first` to `last`, counted from 0; an escape or a character that is
--- not wholly within is left out.
---@param text string
---@param first integer
---@param last integer
---@return string
function M.slice(text, first, last)
    local start, at, used = #text + 1, 1, 0
    while at <= #text do
        local piece = piece_at(text, at)
        local width = #piece > 1 and byte(piece) ~= 92 and character_width(piece) or #piece
        if used >= first and start > at then
            start = at
        end
        if used + width > last + 1 then
            break
        end
        at, used = at + #piece, used + width
    end
    return sub(text, start, at - 1)
end

--- The text in exactly `columns` columns: filled up, or its middle left out.
---@param text string
---@param columns integer
---@return string
function M.fit(text, columns)
    local width = M.width(text)
    if width > columns then
        local tail = columns // 2 - 1
        local parts = M.chunks(text, columns - tail - 2)
        -- Names and addresses differ at their ends more often than in the middle.
        local rest = M.chunks(text, 1)
        local list, used = {}, 0
        for index = #rest, 1, -1 do
            used = used + M.width(rest[index])
            if used > tail then
                break
            end
            insert(list, 1, rest[index])
        end
        text = parts[1] .. ".." .. concat(list)
        width = M.width(text)
    end
    return text .. rep(" ", columns - width)
end

return M
