package host

/*
#include "call.h"
*/
import "C"

import (
	"context"
	"time"
)

// A scope is what ends with a call, of what the call was given: contexts. A plan whose parameters mention such a thing
// is scoped, and only its calls have a scope.
type scope struct {
	ctx      context.Context // what the call's contexts derive from
	cancel   context.CancelFunc
	contexts int // how many the call was given
	cancels  []context.CancelFunc
}

func newScope() *scope {
	return &scope{ctx: context.Background()}
}

func (s *scope) end() {
	for i := len(s.cancels) - 1; i >= 0; i-- {
		s.cancels[i]()
	}
	if s.cancel != nil {
		s.cancel()
	}
}

// How a context is told of in a stream: the word nil, or the word given, then what gl_encode_context says.
const (
	contextNil = iota
	contextGiven
)

// context reads a context, which ends when the call does. That of a call that waits for its end is never cancelled
// before, unless by what Lua has said.
func (r *reader) context() context.Context {
	s := r.scope
	s.contexts++
	ctx := s.ctx
	if r.word() == contextNil {
		return ctx
	}
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
