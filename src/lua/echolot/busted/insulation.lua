--- What a group may do to globals and loaded modules without others seeing it. Groups are read before tests run, so
--- that there are two times to keep apart: what the body does is taken back when it has been read, and put in place
--- again for the group's tests.
local M = {}

local find = string.find
local next, rawequal, rawget, rawset, type = next, rawequal, rawget, rawset, type

-- Stands for what is not there.
local ABSENT = {}

---@return table<any, any> globals
---@return table<string, any> loaded
local function save()
    local globals, loaded = {}, {}
    for key, value in next, _G do
        globals[key] = value
    end
    for name, module in next, package.loaded do
        loaded[name] = module
    end
    return globals, loaded
end

--- What has to be set so that what is so becomes what was wanted.
---@param wanted table
---@param current table
---@return table<any, any> changes
local function compare(wanted, current)
    local changes = {}
    for key in next, current do
        if rawget(wanted, key) == nil then
            changes[key] = ABSENT
        end
    end
    for key, value in next, wanted do
        if not rawequal(rawget(current, key), value) then
            changes[key] = value
        end
    end
    return changes
end

---@param into table
---@param changes table<any, any>
local function apply(into, changes)
    for key, value in next, changes do
        if value == ABSENT then
            value = nil
        end
        rawset(into, key, value)
    end
end

--- Makes globals and modules what they were. Echolot's own modules stay: they are loaded when they are first needed, and
--- are to be there once.
---@param globals table
---@param loaded table
local function restore(globals, loaded)
    apply(_G, compare(globals, _G))
    local changes = compare(loaded, package.loaded)
    for name, module in next, changes do
        if module == ABSENT and type(name) == "string" and find(name, "^echolot") then
            changes[name] = nil
        end
    end
    apply(package.loaded, changes)
end

--- Puts in place what a group's body did. The function that it returns takes that back, and what came since.
---@alias echolot.busted.insulation fun(): fun()

--- Begins the reading of a group. The function that it returns ends it.
---@return fun(): echolot.busted.insulation
function M.begin()
    local globals, loaded = save()
    return function()
        local global_changes, loaded_changes = compare(_G, globals), compare(package.loaded, loaded)
        restore(globals, loaded)
        return function()
            local globals_before, loaded_before = save()
            apply(_G, global_changes)
            apply(package.loaded, loaded_changes)
            return function()
                restore(globals_before, loaded_before)
            end
        end
    end
end

return M
