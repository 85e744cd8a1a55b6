--- Colour and symbols for a terminal, and whether to use them.
local host = require "echolot.host"

local M = {}

local NARROWEST = 20

local CODES = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

-- https://no-color.org and the CLICOLOR convention; a dumb terminal has no colour.
local function wants_color(choice, to_terminal)
    if choice == "always" or choice == "never" then
        return choice == "always"
    end
    local force = os.getenv "CLICOLOR_FORCE"
    if (os.getenv "NO_COLOR" or "") ~= "" then
        return false
    elseif force and force ~= "" and force ~= "0" then
        return true
    end
    return to_terminal and os.getenv "TERM" ~= "dumb"
end

local function is_utf8_locale()
    local locale = os.getenv "LC_ALL"
    if not locale or locale == "" then
        locale = os.getenv "LC_CTYPE"
    end
    if not locale or locale == "" then
        locale = os.getenv "LANG" or ""
    end
    return locale:lower():find "utf%-?8" ~= nil
end

---@class echolot.style
---@field color boolean
---@field symbols table<string, string>
---@field width? integer columns of the terminal that it is for; nil where it is for none

--- The style for standard output or a file.
---@param choice? string auto, always, never
---@param is_stdout boolean
---@return echolot.style
function M.new(choice, is_stdout)
    local to_terminal = is_stdout and host.is_terminal(1)
    local style = { color = wants_color(choice, to_terminal) }
    if to_terminal then
        style.width = math.max(host.terminal_width(1) or tonumber(os.getenv "COLUMNS") or 80, NARROWEST)
    end
    if is_utf8_locale() then
        style.symbols = { pass = "✓", fail = "✗", error = "✗", timeout = "✗", skip = "○", sent = "→", received = "←" }
    else
        style.symbols = {
            pass = "ok  ", fail = "FAIL", error = "FAIL", timeout = "FAIL", skip = "skip", sent = ">", received = "<",
        }
    end
    --- Text in a colour, where there is colour.
    function style.paint(name, text)
        if not style.color or text == "" then
            return text
        end
        return ("\27[%sm%s\27[0m"):format(CODES[name], text)
    end
    return style
end

return M
