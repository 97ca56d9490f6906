#!/usr/bin/env luajit
-- The command line as LuaRocks installs it; a checkout has its own launcher in build/bin.
os.exit(require("goloader.cli").main(arg))
