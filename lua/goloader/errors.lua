--- Errors: those of the loader, and those that Go functions return.
--
-- What the loader can't do is told as Lua's own library tells it: nil, a message, and as the third value the error, an
-- object with a code to branch on. `assert(host:build(dir))` prints the message, even where nothing but a string
-- survives an error (nginx).
--
--     local shop, message, err = host:build "shop"
--     if not shop and err.code == "compile" then … end
--
-- Where a Go function's results stand, the second value is the object itself, which prints as its message: what the
-- function returned as its `error`, or what `job:wait` returns in the place of results.
--
-- Beneath the functions that users call, the loader's own files return nil and a plain table with `code` and `message`;
-- `errors.fail` and `errors.returned` make of those what users get.

local core = require "goloader.core"

---@class goloader.Step  of the way that keeps a module in the process: who it begins with, objects, the reference
---@field kind string  the first: "variable", "stack", "goroutine record", "timer", "finalizer", "finalized" (an object
---  that a finalizer will be called with), "code at run time", "unknown", and where there are no others "handle",
---  "goroutine" (in its code), "call", "job", "library", "module"; then "object", in the end "reference"
---@field name string|nil  a variable's, a reference's, a job's function, a module's; what of C holds a library
---@field shared string|nil  the third-party package that has the variable, where modules share it
---@field type string|nil  as far as it is known: of objects up to 512 bytes, or before Go 1.22, the runtime knows none;
---  it is known where an interface, or a field of a type that is known, leads to it
---@field field string|nil  which leads on: ".list", "[3].Next"
---@field offset integer|nil  of the pointer that leads on, in bytes
---@field size integer|nil  of an object, in bytes
---@field address string|nil  hexadecimal
---@field func string|nil  of a frame, with file and line
---@field file string|nil
---@field line integer|nil
---@field goroutine integer|nil
---@field omitted integer|nil  so many objects before this one are not told: the way is long

---@class goloader.Error
---@field code string  "io", "format", "mismatch", "missing", "library", "duplicate", "unsupported", "memory", "host",
---  "busy", "panic", "type", "closed", "timeout", "phase", "limit", "trust"; "compile", "toolchain", "policy"; "go" for
---  an error that a Go function returned, "timeout" too where that says that a time was over (a context's, a
---  connection's); "lua" for one that Lua code of the user's raised or returned, in a routes file say
---@field message string  one line; tracebacks and a compiler's messages follow it
---@field bare true|nil  with code "compile": the message lacks the heading that the go command writes
---@field packages string[]|nil  import paths that have no archive, when code is "missing"
---@field other_version true|nil  the process has another version of a package that the module shares
---@field traceback string|nil  with code "panic": Go's; with code "lua": Lua's, where Lua code of the user's raised it
---@field index integer|nil  of the element, where many calls were made at once
---@field type string|nil  Go type of an error that a Go function returned
---@field path goloader.Step[]|nil  of an unload that was refused: from who keeps the module to what of it he refers to
local Error = {}
Error.__index = Error
Error.__tostring = function(err) return err.message end
Error.__concat = function(a, b) return tostring(a) .. tostring(b) end
core.set_error_metatable(Error)

--- Go's errors.Is: does it, or an error that it wraps, equal the target? Both are errors that came from Go, a module's
--- variable say: `err:is(shop.ErrNotFound)`.
---@param ... goloader.Error|userdata|nil  the target
---@return boolean
function Error:is(...)
  if select("#", ...) == 0 then error("err:is: an error to compare with expected (write err:is, not err.is)", 2) end
  return core.error_is(self, (...))
end

--- Go's errors.As: the first error in its chain that has this Go type, as a handle with fields and methods.
---@param type_name string  "*fs.PathError"
---@return userdata|nil handle
function Error:as(type_name)
  if type(type_name) ~= "string" then
    error("err:as: a Go type's name expected, got " .. type(type_name) .. " (write err:as, not err.as)", 2)
  end
  return core.error_as(self, type_name)
end

--- Go's errors.Unwrap.
---@return goloader.Error|nil
function Error:unwrap()
  if self == nil then error("err:unwrap: no error to call it on (write err:unwrap, not err.unwrap)", 2) end
  return core.error_unwrap(self)
end

local errors = {}

-- Go's traceback, which follows a panic's text and an empty line.
local function traceback_in(message)
  local _, head = message:find("\n\ngoroutine ", 1, true)
  return head and message:sub(head - #"goroutine " + 1)
end

--- Makes an error object of whatever Lua code raised or returned as an error.
---@param err any  an error object stays itself
---@return goloader.Error
function errors.object(err)
  if type(err) ~= "table" or type(err.message) ~= "string" then
    err = { code = "lua", message = tostring(err) }
  end
  if err.code == "panic" then err.traceback = err.traceback or traceback_in(err.message) end
  if not getmetatable(err) then setmetatable(err, Error) end
  return err
end

--- Makes an error object of what Lua code of the user's raised.
---@param failure { raised: any, traceback: string }  as protect.run returns it
---@return goloader.Error
function errors.raised(failure)
  local err = errors.object(failure.raised)
  err.traceback = err.traceback or failure.traceback:match "^%s*(.*)$"
  return err
end

--- Is it an error object?
---@param value any
---@return boolean
function errors.is_object(value)
  return getmetatable(value) == Error
end

--- What a function that users call returns when it fails.
---@param err any
---@return nil
---@return string message
---@return goloader.Error err
function errors.fail(err)
  err = errors.object(err)
  return nil, err.message, err
end

--- Hands on what an inner function returned: its value, or the three values of a failure.
---@generic T
---@param value T|nil
---@param err goloader.Error|table|nil
---@return T|nil
---@return string|nil message
---@return goloader.Error|nil err
function errors.returned(value, err)
  if value == nil then return errors.fail(err) end
  return value
end

--- What a message says of a name that may be anything: tables may have a __tostring that raises.
---@param name any
---@return string
function errors.shown(name)
  local kind = type(name)
  if kind == "string" then return name end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(name) end
  return "of type " .. kind
end

--- Raises what is wrong with how a function was called.
---@param level integer  whose mistake it is: 1 the caller of this function, 2 who called that one, …
---@param format string
function errors.misuse(level, format, ...)
  error(format:format(...), level + 1)
end

--- Makes what methods ask first: it raises at their caller where they are called on something else than an object of
--- that class.
---@param class table  the objects' metatable
---@param what string  "watched module"
---@param name string  what the manual calls such an object: "watched"
---@return fun(self: any, method: string)
function errors.checker_of(class, what, name)
  return function(self, method)
    if getmetatable(self) ~= class then
      errors.misuse(3, "%s: no %s to call it on (write %s:%s, not %s.%s)", method, what, name, method, name, method)
    end
  end
end

return errors
