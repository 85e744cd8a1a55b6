-- Looks for values for which something fails, and shrinks them, as a property does, but without a test around it.
local choices = require "echolot.gen.choices"
local random = require "echolot.gen.random"
local shrink = require "echolot.gen.shrink"

local M = {}

local CASES, MAX_STEPS = 100, 2000

--- The source of a seed's case.
function M.source(seed, number)
    return choices.random(random.new(random.key(seed, "tests"), number))
end

---@class falsify.result
---@field value any the smallest
---@field cases integer
---@field steps integer
---@field complete boolean
---@field tried any[] values that shrinking tried

--- The smallest value for which `fails(value)`; nil where no case of the seed fails.
---@param generator table
---@param fails fun(value: any): any
---@param seed integer
---@param max_steps? integer
---@return falsify.result?
function M.run(generator, fails, seed, max_steps)
    for number = 1, CASES do
        local source = M.source(seed, number)
        if fails(generator.draw(source)) then
            local tried = {}
            local result = shrink.run(source, {
                make = generator.draw, max_steps = max_steps or MAX_STEPS,
                fails = function(value)
                    tried[#tried + 1] = value
                    return fails(value)
                end,
            })
            return {
                value = generator.draw(choices.replay(result.best.values)), cases = number, steps = result.steps,
                complete = result.complete, tried = tried,
            }
        end
    end
end

return M
