-- Routes files for specs: written, loaded, asked.

local fakehost = require "spec.fakehost"
local router = require "goloader.router"
local support = require "spec.support"

local routesfile = { logged = {}, now = 0 }

local written = {}

routesfile.write = support.write_file

--- A file that `clean` removes.
function routesfile.temporary(text)
  local path = os.tmpname()
  written[#written + 1] = path
  return routesfile.write(path, text)
end

--- Takes all files away.
function routesfile.clean()
  for _, path in ipairs(written) do os.remove(path) end
  written = {}
end

--- A router whose log is `logged`.
function routesfile.new(host, options)
  options = options or {}
  options.host = host
  options.clock = function() return routesfile.now end
  options.log = function(line) routesfile.logged[#routesfile.logged + 1] = line end
  return router.new(options)
end

--- A router that has loaded a text, with modules that the host makes one after the other.
function routesfile.load(text, ...)
  local app = routesfile.new(fakehost.new(...))
  assert(app:load(routesfile.temporary(text)))
  return app
end

--- A function that gives the body, or the status where that is no 200.
function routesfile.asking(app)
  return function(path, fields)
    local req = { path = path }
    for name, value in pairs(fields or {}) do req[name] = value end
    local res = app:handle(req)
    return res.status == 200 and res.body or res.status
  end
end

--- What a routes file that fails is told.
function routesfile.mistakes(text, ...)
  local app = routesfile.new(fakehost.new(...))
  local ok, message, err = app:load(routesfile.temporary(text))
  assert(not ok, "it has no mistakes")
  return message, err
end

return routesfile
