--- What an eye would miss in a difference of two strings: characters that look like others or like nothing, line ends,
--- blanks.
local inspect = require "echolot.inspect"

local M = {}

local format, gsub = string.format, string.gsub
local next, pcall = next, pcall
local codepoint = utf8.codepoint

-- Longer strings are not compared a second time.
local LONGEST = 1 << 16

local NAMES = {
    [0x00A0] = "no-break space", [0x00AD] = "soft hyphen", [0x034F] = "grapheme joiner", [0x061C] = "Arabic letter mark",
    [0x1680] = "Ogham space", [0x180E] = "Mongolian vowel separator", [0x2002] = "en space", [0x2003] = "em space",
    [0x2007] = "figure space", [0x2009] = "thin space", [0x200A] = "hair space", [0x200B] = "zero width space",
    [0x200C] = "zero width non-joiner", [0x200D] = "zero width joiner", [0x200E] = "left-to-right mark",
    [0x200F] = "right-to-left mark", [0x2010] = "hyphen", [0x2011] = "non-breaking hyphen", [0x2012] = "figure dash",
    [0x2013] = "en dash", [0x2014] = "em dash", [0x2018] = "left single quote", [0x2019] = "right single quote",
    [0x201C] = "left double quote", [0x201D] = "right double quote", [0x2026] = "ellipsis",
    [0x2028] = "line separator", [0x2029] = "paragraph separator", [0x202A] = "left-to-right embedding",
    [0x202B] = "right-to-left embedding", [0x202C] = "end of direction", [0x202D] = "left-to-right override",
    [0x202E] = "right-to-left override", [0x202F] = "narrow no-break space", [0x205F] = "mathematical space",
    [0x2060] = "word joiner", [0x2066] = "left-to-right isolate", [0x2067] = "right-to-left isolate",
    [0x2068] = "first strong isolate", [0x2069] = "end of isolate", [0x2212] = "minus sign",
    [0x3000] = "ideographic space", [0xFEFF] = "byte order mark", [0xFFFD] = "replacement character",
}

-- Letters that are drawn as Latin ones are: Cyrillic, Greek, full width. First and last code point.
local LOOK_ALIKE = {
    { 0x0370, 0x03FF, "Greek" }, { 0x0400, 0x052F, "Cyrillic" }, { 0x0530, 0x058F, "Armenian" },
    { 0xFF01, 0xFF5E, "full width" },
}

---@param code integer
---@return string
local function describe(code)
    local name = NAMES[code] or code == 0x20 and "space" or code >= 0x0300 and code <= 0x036F and "combining"
    for _, range in next, LOOK_ALIKE do
        name = name or code >= range[1] and code <= range[2] and range[3]
    end
    return format(name and "U+%04X (%s)" or "U+%04X", code, name)
end

---@param text string
---@param position integer
---@return integer? code nil behind the end, and where the bytes are no UTF-8
local function character_at(text, position)
    local ok, code = pcall(codepoint, text, inspect.boundary(text, position))
    return ok and code or nil
end

--- Names the characters at the first difference, where one of them is not ASCII.
---@param expected string
---@param actual string
---@param position integer
---@return string?
local function characters(expected, actual, position)
    local one, other = character_at(expected, position), character_at(actual, position)
    local at_end, goes_on = position > #expected, position > #actual
    if (one or 0) < 0x80 and (other or 0) < 0x80 or not one and not at_end or not other and not goes_on then
        return nil
    elseif at_end then
        return describe(other) .. " got at the end"
    elseif goes_on then
        return describe(one) .. " expected at the end"
    end
    return format("%s expected, %s got", describe(one), describe(other))
end

---@param text string
---@return string
local function line_ends(text)
    local _, crlf = gsub(text, "\r\n", "")
    local _, lf = gsub(text, "\n", "")
    local _, cr = gsub(text, "\r", "")
    if crlf == 0 then
        return lf > 0 and (cr > 0 and "LF and CR" or "LF") or cr > 0 and "CR" or "none"
    end
    return crlf == lf and crlf == cr and "CR LF" or "some of them CR LF"
end

---@param text string
---@return string
local function unify_line_ends(text)
    return (gsub(gsub(text, "\r\n", "\n"), "\r", "\n"))
end

---@param text string
---@return string
local function without_blanks(text)
    return (gsub(gsub(text, "[ \t]+", ""), "\u{a0}", ""))
end

--- Whether all that differs is of one harmless looking kind, in words.
---@param expected string
---@param actual string
---@return string?
local function only_difference(expected, actual)
    if #expected > LONGEST or #actual > LONGEST then
        return nil
    elseif unify_line_ends(expected) == unify_line_ends(actual) then
        return format("only the line ends differ: %s expected, %s got", line_ends(expected), line_ends(actual))
    elseif without_blanks(expected) == without_blanks(actual) then
        return "only blanks differ"
    end
end

--- Adds what an eye would miss to the lines of a difference.
---@param lines echolot.diff.line[]
---@param expected string
---@param actual string
---@param position integer the first byte at which they part
---@return boolean named whether the characters there have been named, so that their bytes need not be shown
function M.add(lines, expected, actual, position)
    local named = characters(expected, actual, position)
    if named then
        lines[#lines + 1] = { kind = "note", text = "    characters: " .. named }
    end
    local only = only_difference(expected, actual)
    if only then
        lines[#lines + 1] = { kind = "note", text = format("    (%s)", only) }
    end
    return named ~= nil
end

return M
