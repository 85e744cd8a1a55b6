--- Passes that bring numbers nearer to their origins (see shrink.lua).
local proposals = require "echolot.gen.proposals"

local M = {}

local ult = math.ult

--- Makes choices the simplest, as many at once as can be: all, else each half by itself.
---@param self echolot.proposals
function M.simplify(self)
    local function simplify(first, last)
        local best = self.best
        last = math.min(last, best.count)
        local values, changed = proposals.copy(best.values), 0
        for at = first, last do
            if not best.is_size[at] and values[at] ~= best.origin[at] then
                values[at], changed = best.origin[at], changed + 1
            end
        end
        if changed == 0 or self:propose(values) or changed == 1 then
            return
        end
        local middle = (first + last) // 2
        simplify(middle + 1, last)
        simplify(first, middle)
    end
    simplify(1, self.best.count)
end

-- The choices at `places` brought to a distance from their origin, on the side where they are or above it.
local function at_distance(best, places, distance, above)
    local values = proposals.copy(best.values)
    for _, at in ipairs(places) do
        local origin = best.origin[at]
        if at > best.count then -- smaller choices were fewer as well
            return nil
        elseif values[at] >= origin or above then
            if ult(best.hi[at] - origin, distance) then
                return nil
            end
            values[at] = origin + distance
        else
            values[at] = origin - distance
        end
    end
    return values
end

local FEW = 8 -- distances that are tried one by one

-- Lowers the choices at `places`, which are equal, together. One after another is tried where there are few;
-- else it is searched as if whatever is greater than a failing one failed too, and then looked below that.
local function lower(self, places)
    local first = places[1]
    local function distance()
        return self.best.count >= first and self.best:distance(first) or 0
    end
    local function try(wanted, above)
        local values = ult(wanted, distance()) and at_distance(self.best, places, wanted, above)
            or above and wanted == distance() and at_distance(self.best, places, wanted, true)
        return values and self:propose(values)
    end
    if distance() == 0 or try(0) then
        return
    end
    if self.best.values[first] < self.best.origin[first] then
        try(distance(), true)
    end
    for wanted = 1, FEW do
        if not ult(wanted, distance()) or try(wanted) then
            return
        end
    end
    if distance() < 0 then -- that of math.mininteger from 0 is beyond the signed numbers
        try(math.maxinteger)
    end
    proposals.search(FEW + 1, distance(), try)
    for step = 2, FEW do
        local jump = step
        while distance() > jump and try(distance() - jump) do
            jump = 2 * jump
        end
    end
end

--- Brings each choice as near to its origin as it goes.
---@param self echolot.proposals
function M.lower_each(self)
    local at = 1
    while at <= self.best.count do
        if not self.best.is_size[at] then
            lower(self, { at })
        end
        at = at + 1
    end
end

--- Equal choices may have to stay equal: they are lowered together.
---@param self echolot.proposals
function M.lower_equal(self)
    local best = self.best
    local groups, order = {}, {}
    for at = 1, best.count do
        if not best.is_size[at] and best.values[at] ~= best.origin[at] then
            local key = ("%d %d %d %d"):format(best.values[at], best.lo[at], best.hi[at], best.origin[at])
            if not groups[key] then
                groups[key] = {}
                order[#order + 1] = key
            end
            table.insert(groups[key], at)
        end
    end
    for _, key in ipairs(order) do
        local places = groups[key]
        local still = #places > 1
        for _, at in ipairs(places) do
            still = still and at <= self.best.count and self.best.values[at] == best.values[at]
                and self.best.lo[at] == best.lo[at] and self.best.hi[at] == best.hi[at]
        end
        if still then
            lower(self, places)
        end
    end
end

local NEAR = 8 -- choices between two whose sum or difference may matter

-- Moves what is above the origin from one choice to a later one, as far as that goes.
local function shift(self, from, to)
    local best = self.best
    if best.count < to then
        return
    end
    local function shifted(left)
        local now = self.best
        if now.count < to then
            return false
        end
        local moved = now.values[from] - now.origin[from] - left
        if moved <= 0 or now.hi[to] - now.values[to] < moved then
            return false
        end
        local values = proposals.copy(now.values)
        values[from], values[to] = values[from] - moved, values[to] + moved
        return self:propose(values)
    end
    local surplus = best.values[from] - best.origin[from]
    local room = best.hi[to] - best.values[to]
    if surplus <= 0 or room <= 0 or shifted(0) then
        return
    end
    proposals.search(math.max(1, surplus - room), surplus, shifted)
end

-- Lowers two numbers by the same: their difference may matter.
local function lower_both(self, one, other)
    local function steps()
        local best = self.best
        if best.count < other then
            return 0
        end
        local mine, theirs = best:distance(one), best:distance(other)
        return ult(mine, theirs) and mine or theirs
    end
    local function nearer(best, at, by)
        return best.values[at] >= best.origin[at] and best.values[at] - by or best.values[at] + by
    end
    local function try(by)
        local best = self.best
        local values = proposals.copy(best.values)
        values[one], values[other] = nearer(best, one, by), nearer(best, other, by)
        return self:propose(values)
    end
    local most = steps()
    if most <= 0 or try(most) then
        return
    end
    local by = 1
    while by <= steps() and try(by) do
        by = 2 * by
    end
    while by > 1 do
        by = by // 2
        if by <= steps() then
            try(by)
        end
    end
end

--- Moves and lowers what stands near each other together.
---@param self echolot.proposals
function M.pairs(self)
    local in_string = {}
    for _, list in ipairs(self.best.lists) do
        for at = list.size + 1, list.starts and list.size or list.stop - 1 do
            in_string[at] = true
        end
    end
    for from = 1, self.best.count do
        for to = from + 1, math.min(from + NEAR, self.best.count) do
            if from < self.best.count and not in_string[from] and not in_string[to]
                and not self.best.is_size[from] and not self.best.is_size[to] then
                shift(self, from, to)
                lower_both(self, from, to)
            end
        end
    end
end

return M
