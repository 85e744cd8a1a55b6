--- Shrinking: from choices that make a test fail to smaller ones that still do. It works on the choices, not on
--- the values, so that whatever comes out is something that the generator makes, however it is put together.
---
--- Each pass proposes changes, the boldest first; what still fails and is smaller (see choices.lua) becomes the
--- best. They are repeated until none of them finds anything, or the bounds are reached.
local choices = require "echolot.gen.choices"

local M = {}

local ult, huge = math.ult, math.huge

-- Proposals are cheap where they need not be run, but not free.
local PROPOSALS_PER_STEP = 20

-- A pass may use that part of the steps that are left, so that the others get their turn.
local PASS_SHARE = 2

---@class echolot.shrink.options
---@field make fun(source: echolot.choices.source): any makes the value; raises where the choices make none
---@field fails fun(value: any, source: echolot.choices.source): boolean runs it: whether it fails as the first did
---@field max_steps integer runs at most
---@field is_late? fun(): boolean whether the time is up

---@class echolot.shrink
---@field best echolot.choices.source
---@field steps integer runs so far
---@field complete boolean false where a bound ended it
local shrink = {}
shrink.__index = shrink

-- Raised to leave a pass; told from all other errors by their identity.
local STOP, PASS_ENDS = {}, {}

-- Runs a proposal. True where it fails and is smaller, and so is the best from now on.
local function propose(self, values)
    self.proposals = self.proposals + 1
    if self.steps >= self.max_steps or self.proposals > self.max_proposals or self.is_late() then
        error(STOP, 0)
    elseif self.steps >= self.pass_end then
        error(PASS_ENDS, 0)
    end
    local source = choices.replay(values)
    local made, value = pcall(self.make, source)
    if not made or not source:is_less(self.best) then
        return false
    end
    local hash = source:hash()
    if self.seen[hash] then
        return false
    end
    self.seen[hash] = true
    self.steps = self.steps + 1
    if self.fails(value, source) then
        self.best = source
        return true
    end
    return false
end

local function copy(values)
    return table.move(values, 1, #values, 1, {})
end

-- Lists ------------------------------------------------------------------------------------------------------

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
        return propose(self, without(best, list, first, last))
    end
    local counter = best.lo[list.size] == best.hi[list.size] and counted_by(best, list)
    if not counter then
        return false
    end
    local values = without(best, list, first, last)
    values[counter] = values[counter] - (last - first + 1)
    return propose(self, values)
end

-- Calls `visit(list, index)` for the lists of the best, whatever becomes of them meanwhile.
local function each_list(self, visit)
    local i = 1
    while i <= #self.best.lists do
        visit(i)
        i = i + 1
    end
end

-- The smallest number from `lo` to `hi` for which `holds`, as if from there on it always held. `hi` is known to.
local function search(lo, hi, holds)
    while lo < hi do
        local middle = lo + (hi - lo) // 2
        if holds(middle) then
            hi = middle
        else
            lo = middle + 1
        end
    end
    return hi
end

-- Cuts lists behind, then in front, to the shortest that fails.
local function cut_lists(self)
    each_list(self, function(i)
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
                search(1, size(), keep)
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

-- Takes ever smaller pieces out of lists, from behind.
local function delete_pieces(self)
    each_list(self, function(i)
        local length = self.best:size(self.best.lists[i]) // 2
        while length >= 1 do
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
            length = length // 2
        end
    end)
end

-- A list within another whose next neighbour is such a list, too: the other's elements are put behind its own.
local function join_neighbours(self)
    each_list(self, function(i)
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
                local values = copy(best.values)
                table.remove(values, other.size)
                values[one.size] = best:size(one) + best:size(other)
                values[outer.size] = values[outer.size] - 1
                if propose(self, values) then
                    return
                end
            end
        end
    end)
end

-- Puts what a generator made in the place of what it made around that: a branch for the whole tree.
local function lift(self)
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
                if propose(self, values) then
                    break
                end
            end
        end
        i = self.best == best and i + 1 or i
    end
end

-- Puts the elements of lists in order, all at once or neighbour by neighbour.
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

local function sort_lists(self)
    each_list(self, function(i)
        local best = self.best
        local slices = slices_of(best, best.lists[i])
        if #slices < 2 then
            return
        end
        table.sort(slices, function(a, b) return slice_less(best, a, b) end)
        if propose(self, rearranged(best, best.lists[i], slices)) then
            return
        end
        for k = math.min(#slices, SWAPS) - 1, 1, -1 do
            best = self.best
            slices = slices_of(best, best.lists[i])
            if slices[k + 1] and slice_less(best, slices[k + 1], slices[k]) then
                slices[k], slices[k + 1] = slices[k + 1], slices[k]
                propose(self, rearranged(best, best.lists[i], slices))
            end
        end
    end)
end

-- Numbers ----------------------------------------------------------------------------------------------------

-- Makes choices the simplest, as many at once as can be: all, else each half by itself.
local function simplify_blocks(self)
    local function simplify(first, last)
        local best = self.best
        last = math.min(last, best.count)
        local values, changed = copy(best.values), 0
        for at = first, last do
            if not best.is_size[at] and values[at] ~= best.origin[at] then
                values[at], changed = best.origin[at], changed + 1
            end
        end
        if changed == 0 or propose(self, values) or changed == 1 then
            return
        end
        local middle = (first + last) // 2
        simplify(middle + 1, last)
        simplify(first, middle)
    end
    simplify(1, self.best.count)
end

-- Characters of several bytes, replaced by as many of one byte as that was: a text that is too long for somebody
-- may be told so in plain letters. All at once, else each half by itself.
local function spell_out(self)
    each_list(self, function(i)
        local width = self.best.lists[i].width
        local function spell(first, last)
            local best = self.best
            local list = best.lists[i]
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
            if values[list.size] <= best.hi[list.size] and propose(self, values) or first == last then
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

-- The choices at `places` brought to a distance from their origin, on the side where they are or above it.
local function at_distance(best, places, distance, above)
    local values = copy(best.values)
    for _, at in ipairs(places) do
        local origin = best.origin[at]
        if values[at] >= origin or above then
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
        return values and propose(self, values)
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
    search(FEW + 1, distance(), try)
    for step = 2, FEW do
        local jump = step
        while distance() > jump and try(distance() - jump) do
            jump = 2 * jump
        end
    end
end

local function lower_each(self)
    local at = 1
    while at <= self.best.count do
        if not self.best.is_size[at] then
            lower(self, { at })
        end
        at = at + 1
    end
end

-- Equal choices may have to stay equal: they are lowered together.
local function lower_equal(self)
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

local NEAR = 8 -- choices between two whose sum may matter

-- Moves what is above the origin from one choice to a later one, as far as that goes.
local function shift(self, from, to)
    local best = self.best
    local function shifted(left)
        local now = self.best
        if now.count < to then
            return false
        end
        local moved = now.values[from] - now.origin[from] - left
        if moved <= 0 or now.hi[to] - now.values[to] < moved then
            return false
        end
        local values = copy(now.values)
        values[from], values[to] = values[from] - moved, values[to] + moved
        return propose(self, values)
    end
    local surplus = best.values[from] - best.origin[from]
    local room = best.hi[to] - best.values[to]
    if surplus <= 0 or room <= 0 or shifted(0) then
        return
    end
    search(math.max(1, surplus - room), surplus, shifted)
end

local function shift_each(self)
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
            end
        end
    end
end

-- All together -----------------------------------------------------------------------------------------------

local PASSES = {
    cut_lists, simplify_blocks, lift, spell_out, delete_pieces, join_neighbours, lower_equal, lower_each,
    shift_each, sort_lists,
}

local function run_passes(self)
    repeat
        local before = self.best
        self.complete = true
        for _, pass in ipairs(PASSES) do
            self.pass_end = self.steps + (self.max_steps - self.steps) // PASS_SHARE + 1
            local ok, err = pcall(pass, self)
            if not ok then
                if err ~= PASS_ENDS then
                    error(err, 0)
                end
                self.complete = false
            end
        end
    until self.best == before
end

--- Shrinks. What it found stands in `best`, `steps` and `complete` of what is returned.
---@param source echolot.choices.source known to fail
---@param options echolot.shrink.options
---@return echolot.shrink
function M.run(source, options)
    local self = setmetatable({
        best = source, steps = 0, proposals = 0, complete = false, seen = { [source:hash()] = true },
        make = options.make, fails = options.fails, max_steps = options.max_steps, pass_end = huge,
        max_proposals = options.max_steps * PROPOSALS_PER_STEP,
        is_late = options.is_late or function() return false end,
    }, shrink)
    local ok, err = pcall(run_passes, self)
    if not ok and err ~= STOP then
        error(err, 0)
    elseif not ok then
        self.complete = false
    end
    return self
end

return M
