--- What two lists have in common, in order: a longest common subsequence.
local M = {}

local max = math.max

--- One step from one list to the other: an item of both, of the first only ("-"), of the second only ("+").
---@class echolot.diff.align.step
---@field mark " "|"-"|"+"
---@field i? integer its place in the first list
---@field j? integer its place in the second

--- The steps that turn list `a` into list `b`, as few as can be. Time and memory grow with the product of their
--- lengths: the caller bounds them.
---@param a any[] items that `==` tells apart
---@param b any[]
---@return echolot.diff.align.step[]
function M.steps(a, b)
    local lengths = {}
    for i = #a + 1, 1, -1 do
        local row, below = {}, lengths[i + 1]
        for j = #b + 1, 1, -1 do
            if not below or j > #b then
                row[j] = 0
            elseif a[i] == b[j] then
                row[j] = below[j + 1] + 1
            else
                row[j] = max(below[j], row[j + 1])
            end
        end
        lengths[i] = row
    end
    local steps, i, j = {}, 1, 1
    while i <= #a or j <= #b do
        if i <= #a and j <= #b and a[i] == b[j] then
            steps[#steps + 1] = { mark = " ", i = i, j = j }
            i, j = i + 1, j + 1
        elseif j > #b or i <= #a and lengths[i + 1][j] >= lengths[i][j + 1] then
            steps[#steps + 1] = { mark = "-", i = i }
            i = i + 1
        else
            steps[#steps + 1] = { mark = "+", j = j }
            j = j + 1
        end
    end
    return steps
end

return M
