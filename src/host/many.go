package host

/*
#include "call.h"
#include "many.h"
*/
import "C"

import (
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// goloader_many calls a function many times. It stops at the first error that the function returns.
//
//export goloader_many
func goloader_many(m *C.struct_gl_many) {
	guard(&m.call.status, m.call.out, func() { planOf(m.call.plan).many(m) })
}

func (p *plan) many(m *C.struct_gl_many) {
	c := &m.call
	in := reader{w: unsafe.Slice(c.in.p, c.in.len)}
	out, done := writer{buffer: c.out}, false
	defer out.end(&done)
	for failed := false; m.done < m.n && !failed; m.done++ {
		if failed = p.manyOnce(c, &in, &out, m.discard != 0); failed {
			m.failed = 1
		}
	}
	done = true
}

// manyOnce makes one of many calls, and tells whether it returned an error.
func (p *plan) manyOnce(c *C.struct_gl_call, in *reader, out *writer, discard bool) bool {
	if p.scoped {
		in.scope = newCallScope(c.caller)
		defer in.scope.end()
	}
	var regs enter.Regs
	stack := p.decodeParams(in, &regs)
	p.enter(c.addr, nil, &regs, stack)
	failed := p.returnedError(&regs, stack)
	if failed || !discard {
		p.encodeResults(out, &regs, stack, false)
	}
	return failed
}

// returnedError tells whether the last result is an error, and not nil.
func (p *plan) returnedError(regs *enter.Regs, stack unsafe.Pointer) bool {
	if len(p.results) == 0 {
		return false
	}
	q := &p.results[len(p.results)-1]
	if q.kind != C.GL_KIND_ERROR {
		return false
	}
	if q.regs == nil {
		return *(*error)(unsafe.Add(stack, q.stack)) != nil
	}
	return regs.Ints[q.regs[0].reg] != 0
}
