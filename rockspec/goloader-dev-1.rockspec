rockspec_format = "3.0"
package = "goloader"
version = "dev-1"
source = { url = "." }
description = {
  summary = "Loads ordinary compiled Go into a running Lua process",
  detailed = [[
A linker for Go objects inside the process: Lua starts a Go runtime, then loads, calls, swaps and unloads pieces of Go as
the compiler wrote them. Needs a C compiler, a Go toolchain (1.21 or newer), LuaJIT, libelf, capstone and libsodium with
their headers; on Debian and Ubuntu `make deps` installs them all. The command line, goloader, runs on LuaJIT, whatever
Lua the rock is made for, and needs luafilesystem and argparse there, too.]],
  license = "MIT",
}
supported_platforms = { "linux" }
-- Where the distribution has them (lua-filesystem, lua-argparse), rocks_provided in LuaRocks' configuration says so.
dependencies = { "lua >= 5.1, < 5.5", "luafilesystem >= 1.8", "argparse >= 0.7" }
build = {
  type = "make",
  build_target = "rock",
  build_variables = {
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
    DOCDIR = "$(PREFIX)/doc",
  },
}
