rockspec_format = "3.0"
package = "goloader"
version = "dev-1"
source = { url = "." }
description = {
  summary = "Loads ordinary compiled Go into a running Lua process",
  detailed = [[
A linker for Go objects inside the process: LuaJIT starts a Go runtime, then loads, calls, swaps and unloads pieces of
Go as the compiler wrote them. Needs gcc, a Go toolchain (1.21 or newer), libelf, capstone and libsodium with their
headers, and the Lua modules lfs and argparse; on Debian and Ubuntu `make deps` installs them all.]],
  license = "MIT",
}
supported_platforms = { "linux" }
-- lfs and argparse are those of the distribution, which LuaRocks knows nothing of, or rocks of the same names
dependencies = { "lua >= 5.1" }
build = {
  type = "make",
  build_target = "rock",
  build_variables = {
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
  },
}
