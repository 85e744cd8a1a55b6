--- busted's modules and globals: a spec file written for it finds here what it requires.
local binary = require "echolot.busted.binary"
local core = require "echolot.core"
local match = require "echolot.busted.match"
local mock = require "echolot.busted.mock"
local say = require "echolot.busted.say"
local spy = require "echolot.busted.spy"
local stub = require "echolot.busted.stub"
local util = require "echolot.busted.util"

local M = {}

local WORDS = {
    "describe", "context", "insulate", "expose", "it", "spec", "test", "pending", "before_each", "after_each", "setup",
    "teardown", "lazy_setup", "lazy_teardown", "strict_setup", "strict_teardown", "finally", "assert", "spy", "stub",
    "mock", "match",
}

--- Puts spies and their like beside the suite words that `env` has, and all of them where `require` finds them.
---@param env table
function M.install(env)
    env.spy, env.stub, env.mock, env.match = spy, stub, mock, match
    env.randomize = function() end -- the order of tests is the program's to choose
    local busted = {
        version = "2.1.1", -- the one that this is like
        fail = function(message)
            env.assert(false, message == nil and "failed" or message)
        end,
        gettime = core.unix_time, monotime = core.now, sleep = core.sleep,
    }
    for _, word in ipairs(WORDS) do
        busted[word] = env[word]
    end
    local loaded = package.loaded
    loaded.busted = busted
    loaded["busted.runner"] = function() end -- the program runs the file already
    loaded.luassert, loaded["luassert.assert"] = env.assert, env.assert
    loaded["luassert.spy"], loaded["luassert.stub"] = spy, stub
    loaded["luassert.mock"], loaded["luassert.match"] = mock, match
    loaded["luassert.util"], loaded["luassert.formatters.binarystring"] = util, binary
    loaded.say = say
end

return M
