--- The lines of a script that a failure points at.
local host = require "echolot.host"

local M = {}

-- A script that is longer, or whose lines are, is not shown past these.
local LARGEST_FILE, LONGEST_LINE = 4 * 1024 * 1024, 400
local BEFORE, AFTER = 2, 6

local files = {}

-- Only scripts: what a report says it was made of must not get any other file quoted.
local function read_lines(path)
    if not path:find "%.lua$" or host.kind(path) ~= "file" then
        return {}
    end
    local file <close> = io.open(path, "rb")
    local text = file and file:read(LARGEST_FILE) or ""
    local lines = {}
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
        lines[#lines + 1] = line:sub(1, LONGEST_LINE):gsub("\r$", ""):gsub("\t", "    ")
    end
    return lines
end

-- The last line of what goes on behind a line that does not end a call or a table, as far as one can tell without
-- reading Lua.
local function statement_end(lines, number)
    local depth, last = 0, number
    for at = number, math.min(number + AFTER, #lines) do
        local bare = lines[at]:gsub("\\.", ""):gsub('"[^"]*"', ""):gsub("'[^']*'", ""):gsub("%-%-.*", "")
        depth = depth + select(2, bare:gsub("[({]", "")) - select(2, bare:gsub("[)}]", ""))
        last = at
        -- No statement begins with a string, a table or a call of a method.
        local goes_on = (lines[at + 1] or ""):find "^%s*[\"'{.:%[]"
        if depth <= 0 and not goes_on or bare:find "function%s*%b()%s*$" then
            break
        end
    end
    return last
end

---@class echolot.report.source_line
---@field number integer
---@field text string as it is in the file, its tabs as blanks
---@field marked boolean the line that was asked for, and those that its statement goes on with

--- A line of a script, what its statement goes on with, and the lines just before it, without the indentation that
--- they share. Empty where the file cannot be read or has no such line.
---@param path string
---@param number integer
---@param not_before? integer where the test begins: nothing above that is shown
---@return echolot.report.source_line[]
function M.around(path, number, not_before)
    files[path] = files[path] or read_lines(path)
    local lines = files[path]
    if not lines[number] or not lines[number]:find "%S" then
        return {}
    end
    local first = math.max(number - BEFORE, 1)
    if not_before and not_before <= number then
        first = math.max(first, not_before)
    end
    while first < number and not lines[first]:find "%S" do
        first = first + 1
    end
    local last = statement_end(lines, number)
    local shared = math.huge
    for at = first, last do
        if lines[at]:find "%S" then
            shared = math.min(shared, #lines[at]:match "^ *")
        end
    end
    local out = {}
    for at = first, last do
        out[#out + 1] = { number = at, text = lines[at]:sub(shared + 1), marked = at >= number }
    end
    return out
end

return M
