--- The commands and their options, in one table: what the command line understands (parser.lua), what `--help` and
--- `goloader help` print, what shells complete, and what the man page says (man.lua) are all made of it.

---@class goloader.CommandOption
---@field [1] string  names: "-o --output"; of two dashes one may be left out where a command reads its arguments itself
---@field [2] string|nil  what its value is called; nil: it has none
---@field [3] string  what it does
---@field args number|nil  how many values; nil: one
---@field default string|nil
---@field many boolean|nil  it may be given again and again
---@field target string|nil  where its value is found; nil: under its longest name
---@field choices string[]|nil

---@class goloader.Command
---@field [1] string  name
---@field [2] string  one line
---@field usage string  what follows the name
---@field text string[]|nil  paragraphs
---@field arguments { [1]: string, [2]: string, args: string|number|nil, choices: string[]|nil }[]|nil
---@field options goloader.CommandOption[]|nil
---@field commands { [1]: string, [2]: string }[]|nil  commands of the command
---@field examples { [1]: string, [2]: string }[]|nil  a command line, and what it does

local OBJECT = { "file", "Go source (FILE.go or DIR), a package, or an object (.o, .a)." }
local DESC = { "--desc", "FILE", "Description of the host it is meant for; by default the default host's." }
local JSON = { "--json", nil, "Print JSON." }

---@type goloader.Command[]
local commands = {
  { "run", "Compile if need be, load, and run main.main, as go run does.",
    usage = "[BUILD FLAGS] FILE.go…|DIR|PACKAGE|FILE.o…|FILE.gom [ARGUMENTS…]",
    text = {
      "The program is loaded into a host instead of linked, and runs on the process's main thread. Streams, "
        .. "arguments, signals and the exit status are the program's own. //go:debug lines, the godebug block of "
        .. "go.mod and build information count as for go run.",
      "Build flags are those of go run; these are a few of them.",
    },
    options = {
      { "-C", "DIR", "Change to this folder first." },
      { "--tags", "LIST", "Build tags, separated by commas." },
      { "--gcflags", "FLAGS", "Flags of the compiler." },
      { "--ldflags", "FLAGS", "Of the linker's flags -X=main.name=value counts, which sets a string variable." },
      { "--trimpath", nil, "No full paths of files in what is compiled." },
      { "--cover", nil, "Count what is executed; GOCOVERDIR says where the counts go." },
      { "--exec", "PROGRAM", "A program that starts the program." },
      { "-x", nil, "Print the commands that the go command runs." },
    },
    examples = {
      { "goloader run hello.go", "run a program of one file" },
      { "goloader run -tags=fancy ./cmd/server -v", "build flags before the package, the program's own behind it" },
    } },
  { "test", "Run packages' tests as go test does, inside a host.",
    usage = "[FLAGS] [PACKAGE…] [FLAGS OF THE TESTS]",
    text = { "Compiles the packages' tests, loads each package's into a host instead of linking it, runs them, and "
      .. "reports. Flags and packages are those of go test; -c and -o are refused, since no executable is written." } },
  { "serve", "Serve a routes file by HTTP; edits are loaded while requests go on.",
    usage = "[OPTIONS] ROUTES.lua",
    text = { "Serves a routes file as nginx does, by Go's net/http: http.Handlers and middlewares run as in any Go "
      .. "server. Edits of Go and of routes take effect at once. While one does not compile, browsers are shown why, "
      .. "with the line, and all others get the version before." },
    arguments = { { "file", "A routes file." } },
    options = {
      { "-l --listen", "ADDRESS", "HOST:PORT, or unix:/PATH.", default = "127.0.0.1:8080" },
      { "--tls", "CERT KEY", "Files: a certificate and its key.", args = 2 },
      { "--grace", "SECONDS", "How long requests under way have when it ends.", default = "10" },
      { "--keep", nil, "Browsers, too, get the old version while the newest edit does not work." },
      { "-q --quiet", nil, "No line for each request on standard error." },
    },
    examples = { { "goloader serve --listen :8080 routes.lua", "serve on all addresses" } } },
  { "build", "Write a package and all that the host lacks for it into one file.",
    usage = "[-o FILE.gom] [-private] [-debug] [-key FILE] [BUILD FLAGS] FILE.go…|DIR|PACKAGE[@VERSION]|FILE.o…",
    text = { "The file is loaded by host:load and run by goloader run, where there need be no Go, no cache and no "
      .. "archives: by this host, or another of the same Go that has the same packages. Build flags are those of go "
      .. "build." },
    options = {
      { "-o", "FILE.gom", "The file to write; by default it is named as go build names programs." },
      { "--private", nil, "Third-party packages become part of the module instead of being shared." },
      { "--debug", nil, "Debuggers have the values of variables of it; it is larger then." },
      { "--key", "FILE", "Sign it with this secret key." },
      { "--tags", "LIST", "Build tags, separated by commas." },
      { "--gcflags", "FLAGS", "Flags of the compiler." },
      { "--ldflags", "FLAGS", "-X=main.name=value sets a string variable." },
      { "--trimpath", nil, "No full paths of files in what is compiled." },
    },
    examples = { { "goloader build -o shop.gom ./shop", "ship a package" } } },
  { "keygen", "Make a key to sign shipped modules with.",
    usage = "[-o NAME]",
    text = { "Writes the secret key to NAME.key, which only you can read, and the public one to NAME.pub; neither may "
      .. "be there yet. Whoever has the public key can have a process load only what is signed: "
      .. "goloader.host{ trust = \"NAME.pub\" }. The files are like those of minisign." },
    options = { { "-o --output", "NAME", "The files' name.", default = "goloader" } },
    examples = { { "goloader keygen -o shop", "shop.key signs, shop.pub verifies" } } },
  { "sign", "Sign shipped modules.",
    usage = "-k FILE.key [-o FILE.gom] FILE.gom…",
    text = { "goloader build --key signs what it writes; this signs what was written before. A signature that was "
      .. "there goes." },
    arguments = { { "files", "Shipped modules.", args = "+" } },
    options = {
      { "-k --key", "FILE", "The secret key." },
      { "-o --output", "FILE.gom", "The file to write, of one; by default the same." },
    },
    examples = { { "goloader sign -k shop.key shop.gom", "sign shop.gom" } } },
  { "verify", "Tell whether shipped modules are signed by one of the keys.",
    usage = "-k KEY… FILE.gom…",
    text = { "Every byte of the files is checked. A line for each, and status 1 when one is not signed, was changed, "
      .. "or is signed by another key." },
    arguments = { { "files", "Shipped modules.", args = "+" } },
    options = { { "-k --key", "KEY", "A public key: a file, or the line of base64 in it.", many = true } },
    examples = { { "goloader verify -k shop.pub shop.gom", "is it as it was signed?" } } },
  { "audit", "Tell what a module can do: packages, network, files, processes, system calls, C.",
    usage = "[--json] FILE|DIR|PACKAGE|FILE.gom",
    text = { "A line for each package, for each thing beyond computing that the module's exports and init functions "
      .. "can reach, with who needs it, and for each function and variable of the host that it refers to. Nothing of "
      .. "it is loaded, and none of its code runs.",
      "What is called through an interface or a function value that others hand in is not known beforehand." },
    arguments = { { "file", "Go source (FILE.go or DIR), a package, an object, or a shipped module." } },
    options = { JSON },
    examples = { { "goloader audit shop.gom", "what may shop.gom do here?" } } },
  { "bundle", "Make a folder of all that shipped modules need where there is no Go.",
    usage = "-o DIR [--lua VERSION]… FILE.gom…",
    text = { "The folder has the modules, the library, the host and the Lua files, and runs there under LuaJIT and in "
      .. "nginx: nothing else of goloader has to be installed. What LUA_PATH has to be is printed." },
    arguments = { { "files", "Shipped modules.", args = "*" } },
    options = {
      { "-o --output", "DIR", "The folder, new or empty." },
      { "--lua", "VERSION", "Another Lua that it shall run on too: 5.3, 5.4.", many = true },
    },
    examples = { { "goloader bundle -o shop shop.gom", "all that shop.gom needs" } } },
  { "host", "Build a host with packages of your own in it, or a program that is its own host.",
    usage = "-o HOST.so [OPTIONS] [GO FLAGS] PACKAGE…",
    text = { "All modules share these packages and their state. GOLOADER_HOST, or goloader.host{ path = … }, names the "
      .. "host that is to be started. Flags of go build are passed on." },
    options = {
      { "-o", "FILE", "The host; beside it FILE.desc, FILE.archives, FILE.importcfg, FILE.goroot." },
      { "--exe", nil, "The first package is a program that imports goloader.dev/host: it is its own host." },
      { "--goroot", "DIR", "The Go to build with; by default the one that built the default host." },
      { "--minimal", nil, "Keep whole only the packages named, not those of the default host." },
      { "--race", nil, "The program has the race detector, and so have modules that it builds; with --exe." },
      { "--sources", nil, "Print where the Go module goloader.dev/host lies, for a replace line in go.mod." },
    } },
  { "describe", "Write the description of a host.",
    usage = "[OPTIONS] HOST",
    text = { "goloader host writes it beside the host. A program that go build made, and that imports "
      .. "goloader.dev/host, gets its own so." },
    arguments = { { "host", "A shared library built with -buildmode=c-shared, or a program." } },
    options = {
      { "--goroot", "DIR", "The Go that built it." },
      { "-o --output", "FILE", "File to write; by default standard output." },
    } },
  { "info", "Tell what a shipped module holds, or what the default host is.",
    usage = "[--json] [FILE.gom]",
    arguments = { { "file", "A shipped module; without one the host is started and tells what it is.", args = "?" } },
    options = { JSON } },
  { "nm", "List symbols, kinds and sizes, and exports with their Go types.",
    usage = "[OPTIONS] FILE|DIR|PACKAGE",
    text = { "Kinds are those of nm(1): T text, R read-only data, D data, B zeroed data, U defined elsewhere; lower "
      .. "case is local. What is exported and no symbol has a dash: constants, types, generic functions." },
    arguments = { OBJECT },
    options = {
      { "--exports", nil, "Only what Lua can see." },
      { "--sort", "KEY", "Order by name, size (the largest first) or kind.", choices = { "name", "size", "kind" } },
      DESC, JSON,
    },
    examples = { { "goloader nm --sort=size list.go", "what of a package is large" } } },
  { "exports", "List what a module exports, with parameters, results, fields and values.",
    usage = "[--json] FILE|DIR|PACKAGE|FILE.gom",
    text = { "As module:exports() in Lua: the module is loaded for it, and its init functions run." },
    arguments = { { "file", "Go source (FILE.go or DIR), a package, an object, or a shipped module." } },
    options = { JSON } },
  { "disasm", "List machine code with names for every call and reference.",
    usage = "[OPTIONS] FILE|DIR|PACKAGE [SYMBOL]",
    arguments = { OBJECT, { "symbol", "One function: Render, main.Render, main.(*page).write; by default all.",
      args = "?" } },
    options = { { "--loaded", nil, "As relinked into the running host." }, DESC, JSON } },
  { "explain", "Tell which road calls of a function take, and what forbids a faster one.",
    usage = "[OPTIONS] FILE|DIR|PACKAGE SYMBOL",
    text = { "The pure path calls code that needs no Go runtime as a C function; the FFI road enters Go from LuaJIT's "
      .. "compiled traces; the C API road carries everything else. What forbids the pure path is marked." },
    arguments = { OBJECT, { "symbol", "The function: Render, main.Render, main.(*page).write." } },
    options = { DESC, JSON } },
  { "types", "Write definitions for the Lua language server: of a Go module, or of goloader.",
    usage = "[-o FILE.d.lua] [--name NAME] FILE|DIR|PACKAGE|--api",
    text = { "Editors complete and check Lua programs by them: exports, types, methods, constants, with the comments "
      .. "of the Go source. host:build and host:watch of the same name return what they describe. With the option "
      .. "types those calls write them, too, and keep them up to date." },
    arguments = { { "file", "Go source (FILE.go or DIR), a package, or an object.", args = "?" } },
    options = {
      { "-o --output", "FILE", "File to write; by default standard output." },
      { "--name", "NAME", "What the module's class is called; by default as the package." },
      { "--api", nil, "Write those of goloader itself." },
    },
    examples = {
      { "goloader types --api -o types/goloader.d.lua", "once for a project" },
      { "goloader types list.go -o types/list.d.lua", "for each module" },
    } },
  { "check", "Check routes files without serving.",
    usage = "ROUTES.lua…",
    text = { "Modules are compiled, and what routes call is looked up. A line for each mistake, and status 1." },
    arguments = { { "files", "Routes files.", args = "+" } } },
  { "routes", "List a routes file's routes, or tell which one answers a request and why.",
    usage = "[-H HEADER]… ROUTES.lua [[METHOD] ADDRESS]",
    arguments = { { "file", "A routes file." },
      { "request", "[METHOD] ADDRESS, as in GET /list/phones or https://shop.test/list.", args = "0-2" } },
    options = { { "-H --header", "HEADER", "A header of the request, \"Name: value\".", many = true } },
    examples = { { "goloader routes routes.lua GET /list/phones", "which route answers, and why" } } },
  { "ctl", "Ask nginx's workers which versions of modules they serve; reload, roll back.",
    usage = "[-p PREFIX] [--json] COMMAND",
    options = {
      { "-p --prefix", "PREFIX", "nginx's prefix (nginx -p), or its folder of versions; by default this folder." },
      { "--json", nil, "Print JSON." },
    },
    commands = {
      { "status", "What each module serves, what went wrong last, what each worker has loaded." },
      { "versions", "Which versions are kept: [MODULE]." },
      { "reload", "Compile once more, though nothing has changed: [MODULE]." },
      { "rollback", "Serve an earlier version, the one before if none is named, until the source changes: "
        .. "[MODULE] [VERSION]." },
    } },
  { "doctor", "Tell what is installed, and try to build, load, call and unload a module here.",
    usage = "",
    text = { "Each line is \"ok\", or \"not ok\" with what to do. The status is 1 when modules can't be loaded, or "
      .. "compiled though Go is there." } },
  { "clean", "Remove what builds have left in the user's cache.",
    usage = "[-n]",
    options = { { "-n --dry-run", nil, "Only tell what would be removed.", target = "only_tell" } } },
  { "completion", "Print what has a shell complete commands and options.",
    usage = "bash|zsh|fish",
    arguments = { { "shell", "The shell.", choices = { "bash", "zsh", "fish" } } },
    examples = {
      { "source <(goloader completion bash)", "for this bash" },
      { "goloader completion fish > ~/.config/fish/completions/goloader.fish", "for every fish" },
    } },
  { "help", "Tell what a command does, or which ones there are.",
    usage = "[COMMAND]|--man",
    arguments = { { "about", "A command.", args = "?" } },
    options = { { "--man", nil, "Print the manual page, as man(1) formats it." } } },
  { "version", "Tell the versions.", usage = "" },
}

--- By name.
---@type table<string, goloader.Command>
commands.by_name = {}
for _, command in ipairs(commands) do commands.by_name[command[1]] = command end

--- Of the last change to what is said here.
commands.date = "November 29, 2026"

commands.summary = "Loads ordinary compiled Go into a running Lua process."

commands.about = {
  "goloader reads the objects that the Go compiler wrote, links them into a Go runtime that runs inside the process, "
    .. "and can take them away again. The command line runs, ships and looks at Go code that way; Lua programs do so "
    .. "with require \"goloader\".",
  "FILE may be an object or Go source. Where a build takes more than a second, a line on the terminal tells what is "
    .. "being compiled. Listings have colours on a terminal.",
}

commands.environment = {
  { "GOLOADER_HOST", "The host to start, instead of the default one." },
  { "GOLOADER_DEBUG", "Has gdb told of loaded code; files: it lies in files, for Delve and perf, too; 0 is no." },
  { "GOLOADER_PERF", "Has names of loaded code written to /tmp/perf-PID.map, for perf; 0 is no." },
  { "GOLOADER_UNLOAD", "stopped or snapshot: how it is found out whether a module may be unloaded." },
  { "GOROOT", "The Go to compile with, where the one noted beside the host is not there; of the same version." },
  { "NO_COLOR", "No colours, whatever it says." },
  { "TMPDIR", "Where temporary files go." },
  { "XDG_CACHE_HOME", "Where builds keep files; goloader clean removes them." },
}

commands.files = {
  { "~/.cache/goloader", "What builds keep." },
}

--- What a command is called with: "Usage: goloader run [BUILD FLAGS] …".
---@param name string
---@return string
function commands.usage(name)
  return (("Usage: goloader %s %s"):format(name, commands.by_name[name].usage):gsub(" $", ""))
end

--- What is printed where a command line is wrong, behind why.
---@param name string
---@return string
function commands.hint(name)
  return ("%s\ngoloader help %s says more\n"):format(commands.usage(name), name)
end

return commands
