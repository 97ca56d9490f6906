---@meta goloader
-- What `require "goloader"` returns, for editors: definitions that the Lua language server reads, and nobody runs.
-- `goloader types --api -o types/goloader.d.lua` copies them; `goloader types list.go` writes those of a Go module.

-- ---- the module itself ---------------------------------------------------------------------------------------------

---@class goloader
---@field version string
---A package of the process itself: `goloader.std "io".EOF`.
---@field std fun(path: string): goloader.Module
local goloader = {}

---@class goloader.HostOptions
---@field path? string  a library that `goloader host` made; by default $GOLOADER_HOST, or the default host
---@field desc? string  its description; by default path with ".desc" appended
---@field memory_profile? integer  Go's memory profile takes a sample per so many bytes; 0: none
---@field debug? boolean|"files"  gdb is told of loaded code; "files": it lies in files, too
---@field perf? boolean  names of loaded code are written to /tmp/perf-PID.map, for perf
---@field program? boolean  the process is there for a Go program: signals are Go's own from the beginning
---@field trust? string|string[]  public keys: nothing but shipped modules that are signed by one of them is loaded
---@field dump? "SIGQUIT"|"SIGUSR1"|"SIGUSR2"  at this signal the process writes what Lua and all goroutines are at

---The process's Go runtime, started at the first call. A process can have one, for its whole life.
---@param options? goloader.HostOptions
---@return goloader.Host|nil host
---@return string|nil message
---@return goloader.Error|nil err
function goloader.host(options) end
---Where the host is that `goloader.host` starts, or has started.
---@return string|nil path
---@return string|nil message
---@return goloader.Error|nil err
function goloader.host_path() end

---Where the default host and its tools are, and the Go module goloader.dev/host.
---@return string|nil host
---@return string sources
---@return goloader.Error|nil err
function goloader.default_host() end

---The program that runs a Lua chunk which is appended to it.
---@return string|nil path
---@return string|nil message
---@return goloader.Error|nil err
function goloader.launcher_path() end

---Where the C library was loaded from.
---@return string
function goloader.core_path() end

---What a shipped module is and holds.
---@param file string
---@return goloader.Manifest|nil manifest
---@return string|nil message
---@return goloader.Error|nil err
function goloader.manifest(file) end

---Has one of the keys signed the shipped module? All its bytes are checked.
---@param file string
---@param keys string|string[]  public keys: files, or the lines of base64 in them
---@return string|nil key  the number of the one that has
---@return string|nil message
---@return goloader.Error|nil err
function goloader.verify(file, keys) end

---Signs a shipped module.
---@param file string
---@param key string  file of a secret key
---@param out? string  the file to write; by default the same
---@return string|nil key  its number
---@return string|nil message
---@return goloader.Error|nil err
function goloader.sign(file, key, out) end

---Makes a key to sign shipped modules with. Neither file may be there yet.
---@param secret string
---@param public string
---@return { id: string, public: string }|nil key
---@return string|nil message
---@return goloader.Error|nil err
function goloader.keygen(secret, public) end

---@class goloader.AuditReach
---@field kind "network"|"files"|"processes"|"system calls"|"environment"|"exit"|"code"|"unsafe"|string
---@field symbol string  "net.Dial"
---@field by string[]  who needs it, the nearest first

---@class goloader.Audit
---@field file string
---@field packages { path: string, role: "root"|"own"|"shared"|"host", version: string|nil, size: integer|nil }[]
---@field reaches goloader.AuditReach[]
---@field functions { name: string, by: string[] }[]  of the host, that it refers to
---@field variables { name: string, by: string[] }[]

---Tells what a module can do. Nothing of it is loaded, and none of its code runs.
---@param paths string|string[]  a shipped module, objects, or Go source
---@return goloader.Audit|nil
---@return string|nil message
---@return goloader.Error|nil err
function goloader.audit(paths) end

---The symbols of an object, and what else it exports.
---@param file string
---@param desc? string  description of the host it is meant for
---@return goloader.ObjectSymbol[]|nil symbols
---@return string|nil message
---@return goloader.Error|nil err
function goloader.nm(file, desc) end

---The machine code of an object before it is linked.
---@param file string
---@param symbol? string
---@param desc? string
---@return { name: string, instructions: goloader.Instruction[] }[]|nil functions
---@return string|nil message
---@return goloader.Error|nil err
function goloader.disasm(file, symbol, desc) end

---Calls, crossings, panics and bytes copied, of all modules that are loaded.
---@param options? { reset: boolean|nil }
---@return goloader.Stats
function goloader.stats(options) end

---What Lua, which calls this, and all goroutines are at: tracebacks.
---@return string|nil text
---@return string|nil message
---@return goloader.Error|nil err
function goloader.dump() end

---Profiles of Go's runtime/pprof. "cpu", "block" and "mutex" end with `profile:stop(file)`; the others are taken at once.
---@param kind "cpu"|"block"|"mutex"|"heap"|"allocs"|"goroutine"|"threadcreate"
---@param file? string  of a profile that is taken at once; nil: its bytes are returned
---@return goloader.Profile|string|true|nil
---@return string|nil message
---@return goloader.Error|nil err
function goloader.profile(kind, file) end

---A file descriptor for an event loop: when it can be read from, `goloader.step` has something to do.
---@return integer|nil fd
---@return string|nil message
---@return goloader.Error|nil err
function goloader.fd() end

---Resumes the coroutines and calls the functions that wait for jobs which have finished, and loads edits.
---@param timeout? number|string  seconds, or "50ms", to wait for something to do; a negative number has no end
---@return integer finished
function goloader.step(timeout) end

---Starts a coroutine in which `job:wait` yields, until `goloader.step` resumes it.
---@param fn function
---@param ... any
---@return thread
function goloader.spawn(fn, ...) end

---Seconds to the next deadline of a wait; nil where there is none.
---@return number|nil
function goloader.next_timeout() end

---In the place of an array where many calls are made at once: that parameter is the same in all of them.
---@param value any
---@return any
function goloader.same(value) end

---@class goloader.Profile
local Profile = {}

---@param file? string
---@return string|true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Profile:stop(file) end

-- ---- the host ------------------------------------------------------------------------------------------------------

-- `build`, `watch` and `std` are fields: definitions of modules add theirs, for the names that those are built by.

---@class goloader.Host
---Compiles what changed of a package, then loads it with all it needs beyond the standard library. Paths: a directory, Go
---files of one, or an import path.
---@field build fun(self: goloader.Host, paths: string|string[], options?: goloader.HostBuildOptions): goloader.Module|nil, string|nil, goloader.Error|nil
---Loads a module as `host:build` does, and again whenever it is edited. "plugins/*": all that a folder has.
---@field watch fun(self: goloader.Host, paths: string|string[], options?: goloader.WatchOptions): (goloader.Slot|goloader.Plugins|nil), string|nil, goloader.Error|nil
local Host = {}

---@class goloader.HostInfo
---@field go_version string
---@field goarch string
---@field goamd64 string
---@field goexperiment string
---@field buildmode string
---@field object_header string  first line of every object that this host takes
---@field path string
---@field id string  tells this host from any other
---@field linked_in string[]  import paths of its packages that are not of the standard library

---@return goloader.HostInfo
function Host:info() end

---@return { modules: integer, handles: integer }
function Host:stats() end

---The Go toolchain of this host's version.
---@return table|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:toolchain() end

---Names the archive of a compiled package, for what the host lacks of it.
---@param import_path string
---@param file string
---@param version? string
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:add_archive(import_path, file, version) end

---@alias goloader.Policy
---| { allow: string[]|nil, deny: string[]|nil }
---| fun(import_path: string, importer: string): boolean, string|nil

---Says which packages modules may import, from now on; nil lifts it.
---@param rules goloader.Policy|nil
function Host:policy(rules) end

---@class goloader.LoadOptions
---@field ["package"]? string  import path, for one object that was compiled without -p
---@field run_init? boolean  false: init functions are left to module:run_main
---@field uses? goloader.TypedModule[]  modules whose packages these files use
---@field imports? goloader.Policy  which packages they may import
---@field wait? boolean  a shipped module is loaded by another thread, and this coroutine may be suspended meanwhile
---@field copy_of? string  the file is made first, as a copy of this one
---@field twice? "refuse"|"other"|"always"
---@field ndeps? integer
---@field library? string
---@field builds? table<string, string>

---Loads objects as the Go compiler wrote them, as one module, or a shipped module.
---@param files string|(string|{ file: string, package: string|nil })[]
---@param options? goloader.LoadOptions
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err
function Host:load(files, options) end

---@class goloader.Progress
---@field ["package"] string  import path of what is being compiled
---@field done integer  packages compiled so far
---@field left integer|nil  packages still to be compiled; nil: not known yet
---@field seconds number  since the build began

---@class goloader.HostBuildOptions
---@field gcflags? string  for the compiler, as `go build -gcflags` takes them
---@field lang? string  language version: "go1.21"
---@field tags? string  build tags, separated by commas
---@field words? string[]  build flags as the go command takes them
---@field plain? boolean
---@field ["private"]? boolean  third-party packages become part of the module instead of being shared
---@field notice? fun(message: string)  hears that the standard library is being compiled
---@field warnings? fun(text: string)  hears what a build that does not fail says: a C compiler's warnings, most often
---@field progress? fun(progress: goloader.Progress)  hears what a build of more than a second compiles
---@field types? string  a file for definitions of the module, or a folder that gets one
---@field cover? "set"|"count"|"atomic"|true  for module:coverage: counts what of the package is executed
---@field run_init? boolean
---@field imports? goloader.Policy  which packages may be imported
---@field uses? goloader.TypedModule[]  loaded modules that bring packages which this one imports
---@field pause? fun()  is called again and again while the compiler works
---@field on_sources? fun(sources: { files: string[], dirs: string[], trees: string[] })

---@class goloader.ShipOptions: goloader.HostBuildOptions
---@field strings? table<string, string>  values of string variables by their full names
---@field godebug? boolean
---@field key? string  file of a secret key, with which it is signed
---@field debug? boolean  debuggers have the values of its variables

---Writes one file with a package's object code and all it needs beyond this host.
---@param paths string|string[]
---@param out string
---@param options? goloader.ShipOptions
---@return goloader.Manifest|nil manifest
---@return string|nil message
---@return goloader.Error|nil err
function Host:ship(paths, out, options) end

---Tells what a module can do, as goloader.audit, of this host.
---@param paths string|string[]
---@param options? goloader.HostBuildOptions
---@return goloader.Audit|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:audit(paths, options) end

---@class goloader.WatchOptions: goloader.HostBuildOptions
---@field ready? fun(module: any, name: string): any, any  prepares each new version before it takes over
---@field adopt? false|fun(new: any, old: any): any, any  hands the state over
---@field on_change? fun(change: goloader.Change)
---@field release? fun(module: any, name: string): boolean|nil  lets go of what the program has of an old version
---@field unload? goloader.UnloadOptions  for old versions
---@field poll? false|number|string  how often files are looked at; false: only by `w:poll()`

---Lets the other Lua states of the process have a module, by a name.
---@param name string
---@param shared goloader.TypedModule
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:share(name, shared) end

---The module that a Lua state of the process shares by that name; where there is none, what `make` returns.
---@param name string
---@param make nil|fun(): goloader.Module|nil, string|nil, goloader.Error|nil
---@return goloader.Module|nil module
---@return string|nil message
---@return goloader.Error|nil err
function Host:shared(name, make) end

---@class goloader.ReplaceOptions: goloader.HostBuildOptions
---@field ready? fun(new: any, old: any): any, any
---@field adopt? false|fun(new: any, old: any): any, any
---@field unload? goloader.UnloadOptions
---@field release? fun(module: any): boolean|nil

---Has a module become another one, in one step; for all Lua states that share it.
---@param old goloader.TypedModule
---@param new goloader.TypedModule|string|string[]
---@param options? goloader.ReplaceOptions
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:replace(old, new, options) end

---Unloads modules that were replaced, or are to go in the background, and could not be unloaded yet.
---@return integer waiting
function Host:tidy() end

---A package of the host itself; nothing but the host's own code is needed.
---@param path string
---@return goloader.Module|nil
---@return string|nil message
---@return goloader.Error|nil err
function Host:std(path) end

---@class goloader.LoadedModule
---@field name string
---@field number integer  which load of the process it was
---@field since integer  as os.time says it
---@field bytes integer
---@field users integer  modules that use it
---@field shared string|nil  the name by which Lua states share it
---@field states integer|nil  how many of them have it
---@field forced boolean  it was unloaded by force, and is to go when nothing refers to it any more
---@field left boolean  the Lua states that had it are closed
---@field path string|nil
---@field module goloader.Module|nil
---@field roads table<string, "pure"|"ffi"|"capi">|nil
---@field leaving boolean|nil
---@field refusal goloader.Error|nil  why it could not go when that was tried last
---@field refused integer|nil
---@field refused_at integer|nil

---What is loaded in this process, by all its Lua states, but for packages of `host:std`.
---@return goloader.LoadedModule[]
function Host:modules() end

-- ---- modules -------------------------------------------------------------------------------------------------------

---A module whose exports definitions tell, with what the loader knows of it. Its exports are fields: upper case is Go's, lower case the loader's.
---@class goloader.TypedModule
local TypedModule = {}

---@class goloader.UnloadOptions
---@field prove? "all"|"nothing"
---@field handles? "keep"|"drop"
---@field wait? number|string  seconds, or "5s": it is tried again until then
---@field background? boolean  nobody waits: it is asked again within goloader.step
---@field force? boolean  its functions panic from then on, and its memory goes when nothing refers to it any more
---@field beside? boolean  another thread does it, and this coroutine may be suspended meanwhile

---Takes the module out of the process; refused while something refers to it.
---@param options? goloader.UnloadOptions
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:unload(options) end

---@return boolean
function TypedModule:is_loaded() end

---A handle of an exported variable itself.
---@param name string
---@return goloader.Handle
function TypedModule:ref(name) end

---A handle of a new variable of an exported type.
---@param type_name string
---@param value? any
---@return goloader.Handle
function TypedModule:new(type_name, value) end

---An instance of a generic function: "Max[int]".
---@param name string
---@return goloader.Func|nil
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:instantiate(name) end

---@return goloader.Export[]
function TypedModule:exports() end

---@return goloader.Symbol[]
function TypedModule:symbols() end

---@param name string
---@return goloader.Instruction[]|nil listing
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:disassemble(name) end

---@param name string
---@return goloader.Explanation|nil
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:explain(name) end

---What of the package was executed until now, where it was built with `cover`: a profile for `go tool cover`.
---@param file? string  nil: the text is returned
---@return string|true|nil
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:coverage(file) end

---@return table<string, number>
function TypedModule:stats() end

---@param name string
---@param value string
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function TypedModule:set_string(name, value) end

---@param args string[]
---@return nil
---@return string message
---@return goloader.Error err
function TypedModule:run_main(args) end

---A module of which no definitions say what it exports.
---@class goloader.Module: goloader.TypedModule
---@field [string] any

---@class goloader.Version
---@field name string
---@field module goloader.Module
---@field number integer

---@class goloader.Change
---@field what "loaded"|"swapped"|"kept"|"unloaded"|"busy"|"gone"
---@field name string
---@field slot goloader.Watched
---@field version integer|nil
---@field module goloader.Module|nil
---@field err goloader.Error|nil
---@field times { load: number, ready: number, swap: number }|nil  seconds
---@field seconds number|nil

---What stands for a module whose versions come and go.
---@class goloader.Watched
---@field name string
---@field version goloader.Version|nil
---@field err goloader.Error|nil  why the newest edit is not what stands
local Watched = {}

---@param pause? fun()
---@return integer changed
---@return goloader.Error|nil err
function Watched:poll(pause) end

---@param pause? fun()
---@return true|nil
---@return any
---@return goloader.Error|nil err
function Watched:reload(pause) end

---@return number|nil seconds
function Watched:next_timeout() end

---@return integer|nil
function Watched.fd() end

---@return boolean
function Watched:close() end

---@class goloader.Slot: goloader.Watched
---@field [string] any

---@class goloader.Plugins
---@field modules table<string, goloader.Slot>
local Plugins = {}

---@param pause? fun()
---@return integer changed
---@return table<string, goloader.Error> failed
function Plugins:poll(pause) end

---@return table<string, goloader.Error>
function Plugins:failures() end

---@return number|nil seconds
function Plugins:next_timeout() end

---@return integer|nil
function Plugins.fd() end

---@return boolean
function Plugins:close() end

-- ---- what modules export -------------------------------------------------------------------------------------------

---A Go function.
---@class goloader.Func
local Func = {}

---Many calls in one crossing: an array of the results, or nil and the first error.
---@param array any[]
---@param ... any  the other arguments
---@return any[]|nil
---@return goloader.Error|nil err
function Func:map(array, ...) end

---Many calls in one crossing, whose results nobody needs.
---@param array any[]
---@param ... any
---@return integer|nil
---@return goloader.Error|nil err
function Func:each(array, ...) end

---A call in a goroutine of its own.
---@param ... any
---@return goloader.Job
function Func:async(...) end

---A call in a goroutine of its own, whose results stay in Go as handles.
---@param ... any
---@return goloader.Job
function Func:async_keep(...) end

---Calls, and leaves results in Go as handles.
---@param ... any
---@return any ...
function Func:keep(...) end

---@param wanted? "pure"|"ffi"|"capi"
---@return "pure"|"ffi"|"capi"
function Func:road(wanted) end

---@return goloader.Explanation|nil
---@return string|nil message
---@return goloader.Error|nil err
function Func:explain() end

---@return table<string, number>
function Func:stats() end

---A call under way.
---@class goloader.Job
local Job = {}

---Its results, as of a direct call.
---@param timeout? number|string  seconds, or "30s"
---@return any ...
function Job:wait(timeout) end

---@return boolean
function Job:done() end

---Cancels the context.Context that the function was given.
---@return true|nil
---@return string|nil message
---@return goloader.Error|nil err
function Job:cancel() end

---@param fn fun(job: goloader.Job)
---@return goloader.Job
function Job:on_done(fn) end

---@class goloader.Field
---@field name string
---@field type string
---@field tag string
---@field embedded boolean

---@class goloader.Method
---@field name string
---@field signature string
---@field by_pointer boolean
---@field promoted boolean  an embedded field's

---@class goloader.TypeParameter
---@field name string
---@field constraint string

---A Go type. Called with a value, or nothing, it makes a handle of a new variable.
---@class goloader.Type
---@field name string
---@field ["package"] string
---@field kind string
---@field signature string
---@field fields goloader.Field[]
---@field methods goloader.Method[]
---@field type_params goloader.TypeParameter[]|nil

---Lua's hold on a value that stays in Go. Upper case is Go's: fields and methods; lower case the loader's.
---@class goloader.Handle: userdata
---@operator call: any
---@operator len: integer
---@field [integer] any
local Handle = {}

---The value of the variable itself, or an element whose key is the name of a method.
---@param key? any
---@return any
function Handle:get(key) end

---@param key any
---@param value? any
function Handle:set(key, value) end

---Name of the Go type.
---@return string
function Handle:type() end

---Copies all of it out, in one call.
---@return any
function Handle:copy() end

---Lets go of it before Lua collects it.
function Handle:release() end

---Index and element, key and value, or name and field.
---@return function
---@return any
---@return any
function Handle:pairs() end

---@param method string
---@param ... any
---@return any ...
function Handle:keep(method, ...) end

---@param method string
---@param array any[]
---@param ... any
---@return any[]|nil
---@return goloader.Error|nil err
function Handle:map(method, array, ...) end

---@param method string
---@param array any[]
---@param ... any
---@return integer|nil
---@return goloader.Error|nil err
function Handle:each(method, array, ...) end

---@param method string
---@param ... any
---@return goloader.Job
function Handle:async(method, ...) end

---@param method string
---@return goloader.Explanation|nil
---@return string|nil message
---@return goloader.Error|nil err
function Handle:explain(method) end

---A handle of a channel.
---@class goloader.Channel: goloader.Handle
local Channel = {}

---@param value any
---@param timeout? number|string  seconds, or "30s"
---@return true|nil
---@return "timeout"|"closed"|nil
function Channel:send(value, timeout) end

---@param timeout? number|string  seconds, or "30s"
---@return any value
---@return "timeout"|"closed"|nil
function Channel:recv(timeout) end

---@return true|nil
---@return "closed"|nil
function Channel:close() end

---What may be given for a context.Context, which ends with the call.
---@class goloader.Context
---@field timeout? number|string
---@field deadline? number|string
---@field values? table

---@class goloader.Step  of the way that keeps a module in the process
---@field kind string  the first: "variable", "stack", "handle", "goroutine", "call", "job", …; then "object"; in the end "reference"
---@field name string|nil  a variable's, a reference's, a job's function, a module's
---@field shared string|nil  the third-party package that has the variable, where modules share it
---@field type string|nil  as far as it is known
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
---@field code string  "compile", "missing", "busy", "closed", "timeout", …; "go" for an error of a Go function
---@field message string
---@field packages string[]|nil
---@field other_version true|nil
---@field index integer|nil  of the element, where many calls were made at once
---@field type string|nil  Go type
---@field results any[]|nil  what the function returned beside it, where that is more than nil, false, 0, "" or {}
---@field traceback string|nil  with code "panic": Go's; with code "lua": Lua's
---@field path goloader.Step[]|nil  of an unload that was refused: from who keeps the module to what of it he refers to
local Error = {}

---Go's errors.Is.
---@param target any
---@return boolean
function Error:is(target) end

---Go's errors.As.
---@param type_name string  "*fs.PathError"
---@return any handle
function Error:as(type_name) end

---Go's errors.Unwrap.
---@return goloader.Error|nil
function Error:unwrap() end

-- ---- what is told of modules ---------------------------------------------------------------------------------------

---@class goloader.Parameter
---@field name string
---@field type string

---@class goloader.Export
---@field name string
---@field ["package"] string
---@field kind "func"|"var"|"const"|"type"
---@field signature string
---@field value string|nil
---@field type_params goloader.TypeParameter[]|nil
---@field params goloader.Parameter[]
---@field results goloader.Parameter[]
---@field variadic boolean
---@field typed boolean

---@class goloader.Symbol
---@field name string
---@field addr string
---@field size integer
---@field kind string

---@class goloader.ObjectSymbol
---@field name string
---@field kind string
---@field size integer
---@field abi integer|nil
---@field export boolean
---@field signature string|nil

---@class goloader.Instruction
---@field addr string
---@field bytes string
---@field mnemonic string
---@field operands string
---@field comment string|nil
---@field remark string|nil

---@class goloader.Explanation
---@field name string
---@field export string|nil
---@field road nil|"pure"|"ffi"|"capi"
---@field ffi string[]
---@field pure string[]
---@field holds boolean
---@field functions { name: string, instructions: goloader.Instruction[] }[]

---@class goloader.Manifest
---@field header string
---@field host { id: string, name: string }
---@field hash string
---@field size integer
---@field godebug string|nil
---@field strings table<string, string>
---@field packages { path: string, role: string, size: integer, fingerprint: string, version: string|nil }[]
---@field libraries { role: string, size: integer, packages: string[] }[]
---@field imports { path: string, in_host: boolean, fingerprint: string }[]
---@field exports { name: string, package: string, kind: string, signature: string, value: string|nil }[]

---@class goloader.Stats
---@field calls integer
---@field crossings integer
---@field panics integer
---@field bytes_in integer
---@field bytes_out integer
---@field exports table[]
---@field unloads table|nil

return goloader
