-- Chunks are loaded as text only: a binary one, which can crash the interpreter, is refused.
local raw_load, raw_loadfile = load, loadfile

function load(chunk, name, _, ...)
    return raw_load(chunk, name, "t", ...)
end

function loadfile(path, _, ...)
    return raw_loadfile(path, "t", ...)
end

function dofile(path)
    local chunk, why = raw_loadfile(path, "t")
    if not chunk then
        error(why, 0)
    end
    return chunk()
end

local function search_lua(name)
    local path, why = package.searchpath(name, package.path)
    if not path then
        return why
    end
    local chunk, problem = raw_loadfile(path, "t")
    if not chunk then
        error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, problem), 0)
    end
    return chunk, path
end

-- preload, embedded, then Lua files, then C libraries
package.searchers[3] = search_lua
