--- Script files: loading them, and saying what went wrong in them.
local core = require "echolot.core"
local host = require "echolot.host"
local inspect = require "echolot.inspect"

local M = {}

--- Loads the script at `path`, text only. The chunk; or nil and one line that names it.
function M.load(path)
    local kind, why = host.kind(path)
    if not kind then
        return nil, ("%s: %s"):format(path, why)
    end
    if kind == "directory" then
        return nil, ("%s: is a directory"):format(path)
    end
    local file, problem = io.open(path, "rb")
    if not file then
        return nil, problem
    end
    -- Read once: what comes through a pipe cannot be read again.
    local text, why_not = file:read "a"
    file:close()
    if not text then
        return nil, ("%s: %s"):format(path, why_not)
    elseif text:sub(1, 1) == "\27" then
        return nil, ("%s: a binary chunk is never loaded: give its Lua source"):format(path)
    end
    -- A byte-order mark, and a first line that names the interpreter, are none of Lua's.
    text = text:gsub("^\xef\xbb\xbf", ""):gsub("^#[^\n]*", "")
    return load(text, "@" .. path)
end

--- Lets the script's own folder come first where `require` looks.
function M.set_package_path(path)
    local dir = path:match "^(.*)/[^/]*$" or "."
    package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(dir, dir, package.path)
end

--- One line for an error that ended a script: where it was raised, then what it says.
function M.describe_error(err)
    if core.error.is(err) and err.where then
        return ("%s: %s"):format(err.where, tostring(err))
    end
    return inspect.error(err)
end

return M
