--- Passes that make lists, strings and trees smaller (see shrink.lua).
local proposals = require "echolot.gen.proposals"

local M = {}

local ult = math.ult

-- The choices without the elements from `first` to `last` of a list.
local function without(best, list, first, last)
    local from, behind = best:element(list, first), best:element(list, last + 1)
    local values = table.move(best.values, 1, from - 1, 1, {})
    table.move(best.values, behind, best.count, from, values)
    values[list.size] = values[list.size] - (last - first + 1)
    return values
end

-- The choice that decided how many elements this list has to have, where there seems to be one: a length that
-- stands in front of what it counts.
local function counted_by(best, list)
    local size = best:size(list)
    for at = list.size - 1, math.max(1, list.size - 16), -1 do
        if not best.is_size[at] and best.values[at] == size and best.lo[at] < size then
            return at
        end
    end
end

-- Takes elements out of a list, and out of what counts them where the list itself may not be shorter.
local function drop(self, list, first, last)
    local best = self.best
    if last < first then
        return false
    elseif best:size(list) - (last - first + 1) >= best.lo[list.size] then
        return self:propose(without(best, list, first, last))
    end
    local counter = best.lo[list.size] == best.hi[list.size] and counted_by(best, list)
    if not counter then
        return false
    end
    local values = without(best, list, first, last)
    values[counter] = values[counter] - (last - first + 1)
    return self:propose(values)
end

--- Cuts lists behind, then in front, to the shortest that fails.
---@param self echolot.proposals
function M.cut(self)
    self:each_list(function(i)
        local function size()
            local list = self.best.lists[i]
            return list and self.best:size(list) or 0
        end
        local function keep_first(count)
            return drop(self, self.best.lists[i], count + 1, size())
        end
        local function keep_last(count)
            return drop(self, self.best.lists[i], 1, size() - count)
        end
        for _, keep in ipairs { keep_first, keep_last } do
            if size() > 0 and not keep(0) and size() > 1 then
                proposals.search(1, size(), keep)
            end
        end
    end)
end

-- Whether taking out `length` elements at `first` leaves the same as taking them out behind that.
local function same_as_next(best, list, first, length)
    if list.starts then
        return false
    end
    local at = list.size + first
    for i = at, at + length - 1 do
        if best.values[i] ~= best.values[i + length] then
            return false
        end
    end
    return at + 2 * length - 1 < list.stop
end

--- Takes ever smaller pieces out of lists, from behind.
---@param self echolot.proposals
function M.delete(self)
    self:each_list(function(i)
        local length = self.best:size(self.best.lists[i]) // 2
        while length >= 1 do
            local before = self.best
            local first = self.best:size(self.best.lists[i]) - length + 1
            while first >= 1 do
                local best = self.best
                local list = best.lists[i]
                if not same_as_next(best, list, first, length) then
                    drop(self, list, first, first + length - 1)
                end
                if not self.best.lists[i] then
                    return
                end
                first = first - length
            end
            if self.best == before then
                length = length // 2
            else -- once more: what was needed for what is gone now is no longer
                length = math.min(length, self.best:size(self.best.lists[i]))
            end
        end
    end)
end

--- Joins neighbours: of two lists side by side in another, the second one's elements are put behind the first's.
---@param self echolot.proposals
function M.join(self)
    self:each_list(function(i)
        local best = self.best
        local outer = best.lists[i]
        if not outer.starts then
            return
        end
        local heads = {}
        for _, list in ipairs(best.lists) do
            heads[list.size] = list
        end
        for k = best:size(outer) - 1, 1, -1 do
            local one, other = heads[best:element(outer, k)], heads[best:element(outer, k + 1)]
            if one and other and one.stop == other.size and other.stop == best:element(outer, k + 2) then
                local values = proposals.copy(best.values)
                table.remove(values, other.size)
                values[one.size] = best:size(one) + best:size(other)
                values[outer.size] = values[outer.size] - 1
                if self:propose(values) then
                    return
                end
            end
        end
    end)
end

--- Puts what a generator made in the place of what it made around that: a branch for the whole tree.
---@param self echolot.proposals
function M.lift(self)
    local i = 1
    while i <= #self.best.spans do
        local best = self.best
        local outer = best.spans[i]
        for k = #best.spans, i + 1, -1 do
            local inner = best.spans[k]
            if inner.label == outer.label and inner.first > outer.first and inner.stop <= outer.stop then
                local values = table.move(best.values, 1, outer.first - 1, 1, {})
                table.move(best.values, inner.first, inner.stop - 1, #values + 1, values)
                table.move(best.values, outer.stop, best.count, #values + 1, values)
                if self:propose(values) then
                    break
                end
            end
        end
        i = self.best == best and i + 1 or i
    end
end

-- Neighbours in a list that are exchanged, at most.
local SWAPS = 32

local function slice(best, list, k)
    return { first = best:element(list, k), last = best:element(list, k + 1) - 1 }
end

local function slice_less(best, a, b)
    if a.last - a.first ~= b.last - b.first then
        return a.last - a.first < b.last - b.first
    end
    for offset = 0, a.last - a.first do
        local mine, theirs = best:distance(a.first + offset), best:distance(b.first + offset)
        if mine ~= theirs then
            return ult(mine, theirs)
        end
    end
    return a.first < b.first
end

local function rearranged(best, list, slices)
    local values = table.move(best.values, 1, list.size, 1, {})
    for _, part in ipairs(slices) do
        table.move(best.values, part.first, part.last, #values + 1, values)
    end
    return table.move(best.values, list.stop, best.count, #values + 1, values)
end

local function slices_of(best, list)
    local slices = {}
    for k = 1, best:size(list) do
        slices[k] = slice(best, list, k)
    end
    return slices
end

--- Puts the elements of lists in order, all at once or neighbour by neighbour.
---@param self echolot.proposals
function M.sort(self)
    self:each_list(function(i)
        local best = self.best
        local slices = slices_of(best, best.lists[i])
        if #slices < 2 then
            return
        end
        table.sort(slices, function(a, b) return slice_less(best, a, b) end)
        if self:propose(rearranged(best, best.lists[i], slices)) then
            return
        end
        for k = math.min(#slices, SWAPS) - 1, 1, -1 do
            best = self.best
            slices = best.lists[i] and slices_of(best, best.lists[i]) or {}
            if slices[k + 1] and slice_less(best, slices[k + 1], slices[k]) then
                slices[k], slices[k + 1] = slices[k + 1], slices[k]
                self:propose(rearranged(best, best.lists[i], slices))
            end
        end
    end)
end

--- Characters of several bytes, replaced by as many of one byte as that was: a text that is too long for somebody
--- may be told so in plain letters. All at once, else each half by itself.
---@param self echolot.proposals
function M.spell_out(self)
    self:each_list(function(i)
        local width = self.best.lists[i].width
        local function spell(first, last)
            local best = self.best
            local list = best.lists[i]
            if not list or list.width ~= width or best:size(list) < last then
                return -- other choices, other lists
            end
            local values = table.move(best.values, 1, list.size + first - 1, 1, {})
            local bytes = 0
            for k = first, last do
                bytes = bytes + width(best.values[list.size + k])
            end
            if bytes == last - first + 1 then
                return
            end
            for _ = 1, bytes do
                values[#values + 1] = 0
            end
            table.move(best.values, list.size + last + 1, best.count, #values + 1, values)
            values[list.size] = values[list.size] + bytes - (last - first + 1)
            if values[list.size] <= best.hi[list.size] and self:propose(values) or first == last then
                return
            end
            local middle = (first + last) // 2
            spell(middle + 1, last)
            spell(first, middle)
        end
        if width and self.best:size(self.best.lists[i]) > 0 then
            spell(1, self.best:size(self.best.lists[i]))
        end
    end)
end

return M
