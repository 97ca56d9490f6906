package host

/*
#include <stdlib.h>
#include "call.h"
*/
import "C"

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// A scope is what ends with a call, of what the call was given: contexts and Lua functions. A plan whose parameters
// mention such a thing is scoped, and only its calls have a scope.
type scope struct {
	ctx      context.Context // what the call's contexts derive from
	cancel   context.CancelFunc
	contexts int // how many the call was given
	cancels  []context.CancelFunc

	ended  atomic.Bool
	caller unsafe.Pointer // C's, of this call
	g      uintptr        // the goroutine, a *runtime.g; 0 in a job, which is given no Lua function
	stream C.struct_gl_buffer
}

// newCallScope is the scope of a call that caller, which is C's, waits for on this thread.
func newCallScope(caller unsafe.Pointer) *scope {
	return &scope{ctx: context.Background(), caller: caller, g: uintptr(enter.G())}
}

// newJobScope is the scope of a job.
func newJobScope() *scope {
	s := &scope{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *scope) end() {
	s.ended.Store(true)
	for i := len(s.cancels) - 1; i >= 0; i-- {
		s.cancels[i]()
	}
	if s.cancel != nil {
		s.cancel()
	}
	if s.stream.p != nil {
		C.free(unsafe.Pointer(s.stream.p))
		s.stream = C.struct_gl_buffer{}
	}
}

// context reads a context into the variable of type n at p.
func (r *reader) context(n *node, p unsafe.Pointer) {
	ctx := (*context.Context)(p)
	switch int(r.word()) {
	case byHandle:
		n.take(r, p)
		if r.scope != nil {
			*ctx = r.scope.derive(*ctx)
		}
	case 0:
		r.scope.contexts++
		*ctx = r.scope.ctx
	default:
		r.scope.contexts++
		*ctx = r.newContext()
	}
}

// derive makes of a context that Go has made one that ends with the job, too. That of a call that Lua waits for is
// taken as it is.
func (s *scope) derive(ctx context.Context) context.Context {
	s.contexts++
	if s.cancel == nil {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	return ctx
}

// newContext reads what gl_encode_context says of a context, which ends when the call does. That of a call that waits
// for its end is never cancelled before, unless by what Lua has said.
func (r *reader) newContext() context.Context {
	s := r.scope
	ctx := s.ctx
	if r.word() != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, seconds(r.float()))
		s.cancels = append(s.cancels, cancel)
	}
	if r.word() != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Unix(0, 0).Add(seconds(r.float())))
		s.cancels = append(s.cancels, cancel)
	}
	for n := r.word(); n > 0; n-- {
		key := r.string()
		ctx = context.WithValue(ctx, key, r.any()) //nolint:staticcheck // Lua has no other keys than plain strings
	}
	return ctx
}

// seconds makes a duration, as long a one as there is at most.
func seconds(s float64) time.Duration {
	const most = float64(1<<63 - 1024)
	ns := s * float64(time.Second)
	if ns > most {
		ns = most
	} else if ns < -most {
		ns = -most
	}
	return time.Duration(ns)
}
