// Package wasm runs WebAssembly with wazero, which compiles it to machine code in memory of its own and jumps there.
package wasm

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

//go:embed arith.wasm
var program []byte

var (
	mu      sync.Mutex
	runtime wazero.Runtime
	module  api.Module
	primes  []uint32
)

// Open compiles the program; at most one is open.
func Open() error {
	mu.Lock()
	defer mu.Unlock()
	if module != nil {
		return nil
	}
	ctx := context.Background()
	runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	_, err := runtime.NewHostModuleBuilder("host").NewFunctionBuilder().
		WithFunc(func(n uint32) { primes = append(primes, n) }).Export("prime").Instantiate(ctx)
	if err == nil {
		module, err = runtime.Instantiate(ctx, program)
	}
	if err != nil {
		err = errors.Join(err, runtime.Close(ctx))
	}
	return err
}

// Close gives the machine code back.
func Close() error {
	mu.Lock()
	defer mu.Unlock()
	if module == nil {
		return nil
	}
	err := runtime.Close(context.Background())
	runtime, module = nil, nil
	return err
}

// Call calls a function of the program.
func Call(name string, arguments []uint64) (uint64, error) {
	mu.Lock()
	defer mu.Unlock()
	if module == nil {
		return 0, errors.New("the program is not open")
	}
	function := module.ExportedFunction(name)
	if function == nil {
		return 0, fmt.Errorf("the program has no function %q", name)
	}
	primes = nil
	results, err := function.Call(context.Background(), arguments...)
	if err != nil {
		return 0, err
	}
	return results[0], nil
}

// Primes are those that the program told of in the last call.
func Primes() []uint32 { return primes }
