-- Unloading while something of the module's is under way outside of it.
local ffi = require "ffi"
local support = require "spec.support"

ffi.cdef "int getpid(void); int kill(int pid, int sig);"

local SIGUSR2 = 12
local host, module

setup(function() host = support.host() end)
teardown(support.clean)

before_each(function()
  module = assert(host:load(support.compile([[
package flight

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

type caught struct{ os.Signal }

var (
	signals = make(chan os.Signal, 1)
	seen    = make(chan caught, 1)
	server  *http.Server
)

func Notify() { signal.Notify(signals, syscall.SIGUSR2) }
func Stop()   { signal.Stop(signals) }

// Watch has a goroutine of the module's wait for the signal.
func Watch() {
	Notify()
	go func() { seen <- caught{<-signals} }()
}

func Seen() string { return (<-seen).String() }

func Context() { signal.NotifyContext(context.Background(), syscall.SIGUSR2) }

func Serve() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("here"))
	})}
	go server.Serve(l)
	return l.Addr().String(), nil
}

func Get(address string) (int, error) {
	r, err := http.Get("http://" + address)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	return r.StatusCode, nil
}

func Close() error {
	http.DefaultClient.CloseIdleConnections()
	return server.Close()
}
]], "flight")))
end)

local function raise() ffi.C.kill(ffi.C.getpid(), SIGUSR2) end

describe("a module", function()
  it("that is notified of a signal goes where nobody of it waits, and the signal ends nothing", function()
    module.Notify()
    assert(module:unload())
    raise()
    local next_one = assert(host:load(support.compile("package idle\n\nfunc F() int { return 1 }\n", "idle")))
    assert.equal(1, next_one.F())
    assert(next_one:unload())
  end)

  it("of which a goroutine waits for a signal stays till that has come", function()
    module.Watch()
    local ok, err = module:unload()
    assert.is_nil(ok)
    assert.matches("goroutine %d+ .*flight%.Watch", tostring(err))
    raise()
    assert.equal("user defined signal 2", module.Seen())
    module.Stop()
    assert.is_true(support.eventually(function() return module:unload() end))
  end)

  it("with a context of a signal stays till that has come: another package's goroutine has the signals", function()
    module.Context()
    local ok, err = module:unload()
    assert.is_nil(ok)
    assert.matches("goroutine %d+ .*signal%.NotifyContext", tostring(err))
    raise()
    assert.is_true(support.eventually(function() return module:unload() end))
  end)

  it("that serves stays till its server is closed", function()
    local address = assert(module.Serve())
    assert.equal(200, module.Get(address))
    local ok, err = module:unload()
    assert.is_nil(ok)
    assert.matches("flight%.Serve", tostring(err))
    assert.equal(200, module.Get(address))
    module.Close()
    assert.is_true(support.eventually(function() return module:unload() end))
  end)
end)
