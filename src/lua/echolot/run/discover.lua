--- Which files a run is about: paths as given, directories searched for test scripts.
local host = require "echolot.host"

local M = {}

local SUITE_WORDS = {
    describe = true, context = true, it = true, conversation = true, property = true,
    spec = true, test = true, insulate = true, expose = true, pending = true,
}

-- Skips what begins at `at` where that is a comment or a string; the position behind it, or nil.
local function skip_quoted(text, at)
    local two = text:sub(at, at + 1)
    if two == "--" then
        local level = text:match("^%[(=*)%[", at + 2)
        if level then
            local _, close = text:find("]" .. level .. "]", at + 2, true)
            return (close or #text) + 1
        end
        return (text:find("\n", at, true) or #text) + 1
    end
    local level = text:match("^%[(=*)%[", at)
    if level then
        local _, close = text:find("]" .. level .. "]", at, true)
        return (close or #text) + 1
    end
    local quote = text:match("^[\"']", at)
    if not quote then
        return nil
    end
    local position = at + 1
    while position <= #text do
        local found = text:find("[\\\n" .. quote .. "]", position)
        if not found then
            return #text + 1
        end
        if text:sub(found, found) ~= "\\" then
            return found + 1
        end
        position = found + 2
    end
    return position
end

--- Whether the Lua source uses a suite word as a call: a test script, as opposed to a library or
--- a program. Nothing of it is run.
---@param text string
---@return boolean
function M.is_test_script(text)
    local at = 1
    local previous
    while at <= #text do
        local behind = skip_quoted(text, at)
        local word = not behind and text:match("^[%a_][%w_]*", at)
        if behind then
            at = behind
        elseif word then
            at = at + #word
            -- not a field of something else, and called
            if SUITE_WORDS[word] and previous ~= "." and previous ~= ":" and previous ~= "function"
                and text:find("^%s*[%(\"'%[{]", at) then
                return true
            end
            previous = word
        else
            local char = text:sub(at, at)
            if not char:find "%s" then
                previous = char
            end
            at = at + 1
        end
    end
    return false
end

-- An unreadable file is taken for a script: whoever runs it is told so.
local function is_script_file(path)
    local file = io.open(path, "rb")
    if not file then
        return true
    end
    local text = file:read "a"
    file:close()
    return text == nil or text:sub(1, 1) == "\27" or M.is_test_script(text)
end

-- `seen` holds what was found before, by whatever name: links may lead round in circles.
local function search(dir, found, problems, seen)
    local names, why = host.list(dir)
    if not names then
        problems[#problems + 1] = ("%s: %s"):format(dir, why)
        return
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local path = dir:gsub("/+$", "") .. "/" .. name
        local kind, identity = host.kind(path)
        if kind == "directory" and name:sub(1, 1) ~= "." and not seen[identity] then
            seen[identity] = true
            search(path, found, problems, seen)
        elseif kind == "file" and name:find "%.lua$" and not seen[identity] and is_script_file(path) then
            seen[identity] = true
            found[#found + 1] = path
        end
    end
end

--- The scripts below the given paths, each once, in order. Paths that do not exist are problems.
---@param paths string[]
---@return string[] files
---@return string[] problems one line each
---@return string[] empty directories without a test script
function M.files(paths)
    local files, problems, empty, seen = {}, {}, {}, {}
    for _, path in ipairs(paths) do
        local kind, why = host.kind(path)
        local found = {}
        if not kind then
            problems[#problems + 1] = ("%s: %s"):format(path, why)
        elseif kind == "directory" then
            search(path, found, problems, { [why] = true })
            if #found == 0 then
                empty[#empty + 1] = path
            end
        else
            found[1] = path
        end
        for _, file in ipairs(found) do
            if not seen[file] then
                seen[file] = true
                files[#files + 1] = file
            end
        end
    end
    return files, problems, empty
end

return M
