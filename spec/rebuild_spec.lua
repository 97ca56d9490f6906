-- The second build in a process: whatever go build would notice has been noticed.
local ffi = require "ffi"
local lfs = require "lfs"
local support = require "spec.support"

pcall(ffi.cdef, "int setenv(const char *, const char *, int); int unsetenv(const char *);")

teardown(support.clean)

local dep = 'package dep\n\nfunc Text() string { return "%s" }\n'
local uses_dep = 'package p\n\nimport "example.com/p/dep"\n\nfunc Get() string { return dep.Text() }\n'
local module = "module example.com/p\n\ngo 1.21\n"
local loop = [[
func last() string {
	var text []func() string
	for _, word := range []string{"one", "two"} {
		text = append(text, func() string { return word })
	}
	return text[0]()
}
]]
local by_tag = { ["tag.go"] = '//go:build other\n\npackage p\n\nconst text = "two"\n',
  ["no_tag.go"] = '//go:build !other\n\npackage p\n\nconst text = "one"\n' }
local other_module = "module example.com/o\n\ngo 1.21\n"
local of_other = 'package o\n\nconst Text = "%s"\n'
local uses_other = 'package p\n\nimport "example.com/o"\n\nfunc Get() string { return o.Text }\n'
local needs_other = module .. "\nrequire example.com/o v0.0.0\n"

local function with(files, more)
  local all = { ["go.mod"] = module }
  for name, text in pairs(files) do all[name] = text end
  for name, text in pairs(more or {}) do all[name] = text end
  return all
end

-- What there is, what is edited (false: removed) or set, and what Get returns then; nil: the package can't be built. It
-- returns "one" before.
local edits = {
  { "a function of a dependency", with { ["p.go"] = uses_dep, ["dep/dep.go"] = dep:format "one" },
    { ["dep/dep.go"] = dep:format "two" }, "two" },
  { "a new file of a dependency", with { ["p.go"] = uses_dep,
      ["dep/dep.go"] = 'package dep\n\nvar text = "one"\n\nfunc Text() string { return text }\n' },
    { ["dep/new.go"] = 'package dep\n\nfunc init() { text = "two" }\n' }, "two" },
  { "a removed file of a dependency", with { ["p.go"] = uses_dep,
      ["dep/dep.go"] = 'package dep\n\nvar text = "two"\n\nfunc Text() string { return text }\n',
      ["dep/old.go"] = 'package dep\n\nfunc init() { text = "one" }\n' },
    { ["dep/old.go"] = false }, "two" },
  { "a new file", with {
      ["p.go"] = uses_dep:gsub("return ", "return text + "):gsub("func Get", 'var text = ""\n\nfunc Get'),
      ["dep/dep.go"] = dep:format "one" },
    { ["new.go"] = 'package p\n\nfunc init() { text = "two" }\n' }, "twoone" },
  { "a removed file", with { ["p.go"] = 'package p\n\nvar text = "two"\n\nfunc Get() string { return text }\n',
      ["old.go"] = 'package p\n\nfunc init() { text = "one" }\n' },
    { ["old.go"] = false }, "two" },
  { "a build constraint", with(by_tag, { ["p.go"] = "package p\n\nfunc Get() string { return text }\n" }),
    { ["tag.go"] = by_tag["tag.go"]:gsub("other", "linux"),
      ["no_tag.go"] = by_tag["no_tag.go"]:gsub("other", "linux") },
    "two" },
  { "an embedded file", with { ["p.go"] = 'package p\n\nimport _ "embed"\n\n//go:embed data/text\nvar text string\n\n'
      .. "func Get() string { return text }\n", ["data/text"] = "one" },
    { ["data/text"] = "two" }, "two" },
  { "an embedded file of a dependency", with { ["p.go"] = uses_dep, ["data/text"] = "",
      ["dep/dep.go"] = 'package dep\n\nimport _ "embed"\n\n//go:embed data/text\nvar text string\n\n'
        .. "func Text() string { return text }\n", ["dep/data/text"] = "one" },
    { ["dep/data/text"] = "two" }, "two" },
  { "a new file in an embedded folder of a dependency", with { ["p.go"] = uses_dep,
      ["dep/dep.go"] = 'package dep\n\nimport "embed"\n\n//go:embed data\nvar data embed.FS\n\nfunc Text() string {\n'
        .. '\tentries, _ := data.ReadDir("data")\n\treturn entries[len(entries)-1].Name()\n}\n',
      ["dep/data/one"] = "" },
    { ["dep/data/two"] = "" }, "two" },
  { "go.mod: another replacement", with({ ["p.go"] = uses_other,
      ["go.mod"] = needs_other .. "\nreplace example.com/o => ./o1\n",
      ["o1/go.mod"] = other_module, ["o1/o.go"] = of_other:format "one",
      ["o2/go.mod"] = other_module, ["o2/o.go"] = of_other:format "two" }),
    { ["go.mod"] = needs_other .. "\nreplace example.com/o => ./o2\n" }, "two" },
  { "go.mod: the language's version", with { ["p.go"] = "package p\n\nfunc Get() string { return last() }\n\n" .. loop,
      ["go.mod"] = module:gsub("1.21", "1.22") },
    { ["go.mod"] = module }, "two", since = 1022 },
  { "go.mod: the language's version, with a dependency", with {
      ["p.go"] = uses_dep:gsub("dep.Text%(%)", "dep.Text() + last()") .. "\n" .. loop,
      ["dep/dep.go"] = dep:format "", ["go.mod"] = module:gsub("1.21", "1.22") },
    { ["go.mod"] = module }, "two", since = 1022 },
  { "go.mod: an error", with { ["p.go"] = 'package p\n\nfunc Get() string { return "one" }\n' },
    { ["go.mod"] = module .. "\nrequire nonsense\n" }, nil },
  { "a replaced module", with({ ["p.go"] = uses_other, ["go.mod"] = needs_other .. "\nreplace example.com/o => ./o1\n",
      ["o1/go.mod"] = other_module, ["o1/o.go"] = of_other:format "one" }),
    { ["o1/o.go"] = of_other:format "two" }, "two" },
  { "a dependency's folder becomes another module", with { ["p.go"] = uses_dep, ["dep/dep.go"] = dep:format "one" },
    { ["dep/go.mod"] = "module example.com/p/dep\n\ngo 1.21\n" }, nil },
  { "go.work", with({ ["p.go"] = uses_other, ["go.work"] = "go 1.21\n\nuse .\n\nuse ./o1\n",
      ["o1/go.mod"] = other_module, ["o1/o.go"] = of_other:format "one",
      ["o2/go.mod"] = other_module, ["o2/o.go"] = of_other:format "two" }),
    { ["go.work"] = "go 1.21\n\nuse .\n\nuse ./o2\n" }, "two" },
  { "a new go.work", with({ ["p.go"] = uses_other, ["go.mod"] = needs_other .. "\nreplace example.com/o => ./o1\n",
      ["o1/go.mod"] = other_module, ["o1/o.go"] = of_other:format "one",
      ["o2/go.mod"] = other_module, ["o2/o.go"] = of_other:format "two" }),
    { ["go.work"] = "go 1.21\n\nuse .\n\nuse ./o2\n" }, "two" },
  { "a new go.work without the module", with { ["p.go"] = 'package p\n\nfunc Get() string { return "one" }\n' },
    { ["go.work"] = "go 1.21\n\nuse ./other\n", ["other/go.mod"] = other_module }, nil },
  { "a vendored package", with({ ["p.go"] = uses_other, ["go.mod"] = needs_other,
      ["vendor/modules.txt"] = "# example.com/o v0.0.0\n## explicit; go 1.21\nexample.com/o\n",
      ["vendor/example.com/o/o.go"] = of_other:format "one" }),
    { ["vendor/example.com/o/o.go"] = of_other:format "two" }, "two" },
  { "vendor/modules.txt", with({ ["p.go"] = uses_other, ["go.mod"] = needs_other,
      ["vendor/modules.txt"] = "# example.com/o v0.0.0\n## explicit; go 1.21\nexample.com/o\n",
      ["vendor/example.com/o/o.go"] = of_other:format "one" }),
    { ["vendor/modules.txt"] = "# example.com/o v0.0.1\n## explicit; go 1.21\nexample.com/o\n" }, nil },
  { "GOFLAGS", with(by_tag, { ["p.go"] = "package p\n\nfunc Get() string { return text }\n" }),
    {}, "two", set = { GOFLAGS = "-tags=other" } },
  { "GOFLAGS, of a package without constraints", with {
      ["p.go"] = 'package p\n\nimport "runtime"\n\nfunc Get() string {\n\t_, file, _, _ := runtime.Caller(0)\n'
        .. '\tif file[0] == \'/\' {\n\t\treturn "one"\n\t}\n\treturn file\n}\n' },
    {}, "example.com/p/p.go", set = { GOFLAGS = "-trimpath" } },
  { "the file of go env -w", with(by_tag, { ["p.go"] = "package p\n\nfunc Get() string { return text }\n",
      ["env"] = "" }),
    { ["env"] = "GOFLAGS=-tags=other\n" }, "two", env_file = true },
  { "CGO_ENABLED", with { ["p.go"] = uses_dep,
      ["dep/cgo.go"] = "//go:build cgo\n\n" .. dep:format "one",
      ["dep/no.go"] = "//go:build !cgo\n\n" .. dep:format "two" },
    {}, "two", set = { CGO_ENABLED = "0" } },
  { "a file that an overlay names", with { ["p.go"] = 'package p\n\nfunc Get() string { return "none" }\n',
      ["instead"] = 'package p\n\nfunc Get() string { return "one" }\n' },
    { ["instead"] = 'package p\n\nfunc Get() string { return "two" }\n' }, "two", overlay = true },
  { "a header of C", with {
      ["p.go"] = 'package p\n\n// #include "text.h"\nimport "C"\n\nfunc Get() string { return C.TEXT }\n',
      ["text.h"] = '#define TEXT "one"\n' },
    { ["text.h"] = '#define TEXT "two"\n' }, "two" },
  { "a header that a dependency's assembly includes", with {
      ["p.go"] = uses_dep:gsub("dep.Text%(%)", '[...]string{"one", "two"}[dep.N()]'),
      ["dep/dep.go"] = "package dep\n\nfunc N() int\n", ["dep/value.h"] = "#define VALUE 0\n",
      ["dep/n_amd64.s"] = '#include "value.h"\n\nTEXT ·N(SB), 4, $0-8\n\tMOVQ $VALUE, ret+0(FP)\n\tRET\n' },
    { ["dep/value.h"] = "#define VALUE 1\n" }, "two" },
  { "assembly of a package that had none", with { ["p.go"] = 'package p\n\nfunc Get() string { return "one" }\n' },
    { ["p.go"] = 'package p\n\nfunc n() int\n\nfunc Get() string { return [...]string{"one", "two"}[n()] }\n',
      ["n_amd64.s"] = "TEXT ·n(SB), 4, $0-8\n\tMOVQ $1, ret+0(FP)\n\tRET\n" }, "two" },
}

local count = 0

local function write(dir, files)
  for name, text in pairs(files) do
    if text then
      support.write(dir .. "/" .. name, text)
    else
      os.remove(support.tmpdir() .. "/" .. dir .. "/" .. name)
    end
  end
end

local function set(variables)
  for name, value in pairs(variables or {}) do
    if value then ffi.C.setenv(name, value, 1) else ffi.C.unsetenv(name) end
  end
end

-- What Get returns of the package as it is built now, by the host that builds again and again.
local function get(root)
  local built, message = support.host():build(root)
  if not built then return nil, tostring(message) end
  local text = built.Get()
  assert(built:unload())
  return text
end

describe("a build sees what was edited since the last one:", function()
  local saved = {}
  before_each(function()
    for _, name in ipairs { "GOFLAGS", "GOENV", "CGO_ENABLED" } do saved[name] = os.getenv(name) or false end
  end)
  after_each(function() set(saved) end)

  local _, minor = support.host():info().go_version:match "(%d+)%.(%d+)"
  for _, edit in ipairs(edits) do
    if not edit.since or 1000 + tonumber(minor) >= edit.since then
      it(edit[1], function()
        count = count + 1
        local dir = "rebuilt" .. count
        local root = support.tmpdir() .. "/" .. dir
        write(dir, edit[2])
        if edit.env_file then set { GOENV = root .. "/env" } end
        if edit.overlay then
          support.write(dir .. "/overlay.json", ('{"Replace":{"%s/p.go":"%s/instead"}}'):format(root, root))
          set { GOFLAGS = "-overlay=" .. root .. "/overlay.json" }
        end
        -- what was written just now is not relied on
        os.execute(("find %s -type f -exec touch -d '1 hour ago' {} +"):format(root))
        assert.equal("one", (assert(get(root))))
        assert.equal("one", (assert(get(root))))
        write(dir, edit[3])
        set(edit.set)
        local text, message = get(root)
        assert.equal(edit[4], text, message)
      end)
    end
  end

  it("the folder itself, where it is named from where the process stands", function()
    local here = lfs.currentdir()
    for _, text in ipairs { "one", "two" } do
      write("stand_" .. text, { ["go.mod"] = module, ["p/p.go"] = uses_dep, ["dep/dep.go"] = dep:format(text) })
      os.execute(("find %s -type f -exec touch -d '1 hour ago' {} +"):format(support.tmpdir()))
      assert(lfs.chdir(support.tmpdir() .. "/stand_" .. text))
      local got, message = get "p"
      lfs.chdir(here)
      assert.equal(text, got, message)
    end
  end)
end)
