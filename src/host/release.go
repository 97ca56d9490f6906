package host

/*
#include "runtime.h"
*/
import "C"

import (
	"strings"
	"unsafe"
)

// What Lua's handles lead to is looked at after everything else, when a module is to go and nothing else refers to it:
// a handle that does is the reason to stay, and is named. It is not, where the handle may be dropped: what Lua is told
// to do without, and the Go values behind error tables, which are still errors without them.

// findHandles looks for handles by which Lua holds what goes, once everything else has been traced. handles is locked.
func (t *tracer) findHandles() (user holder, found bool) {
	// Whatever a handle is used for takes its type's code.
	t.types = false
	for _, errors := range [2]bool{false, true} {
		for i := range handles.all {
			h := &handles.all[i]
			if h.kind == heldNothing || h.kind == heldDropped || (h.kind == heldError) != errors {
				continue
			}
			mayDrop := errors || t.dropHandles
			if !t.leads(h, mayDrop) {
				continue
			}
			if !mayDrop {
				return holder{kind: C.GL_HOLDER_HANDLE, handle: h.name()}, true
			}
			t.drops = append(t.drops, i)
		}
	}
	return holder{}, false
}

// leads tells whether what a handle stands for refers to what goes. What it reaches alone is marked as dropped then:
// whoever reaches that later does, too. Constant strings could stay, but would do so for ever: a handle that may be
// dropped is dropped for them as well.
func (t *tracer) leads(h *held, mayDrop bool) bool {
	constants := t.constants
	t.constants = constants && !mayDrop
	t.dropped, t.queue = false, t.queue[:0]
	if t.reached = t.reached[:0]; t.reached == nil {
		t.reached = []object{}
	}
	found := t.follow(uintptr(unsafe.Pointer(h.class))) || t.follow(uintptr(h.p))
	for len(t.queue) > 0 && !found && !t.dropped && !(mayDrop && t.constants) {
		o := t.queue[len(t.queue)-1]
		t.queue = t.queue[:len(t.queue)-1]
		_, found = t.lookThrough(o.span, o.i)
	}
	if !found && !t.dropped && !(mayDrop && t.constants) {
		t.constants = t.constants || constants
		return false
	}
	t.constants = constants
	for _, o := range t.reached {
		t.marks[o.span.first+o.i] = markDropped
	}
	return true
}

// dropHandles lets Lua's handles be without their values. handles is locked.
func dropHandles(drops []int) {
	for _, i := range drops {
		h := &handles.all[i]
		handles.dropped[uint32(i)] = strings.Clone(h.name()) // names of types go with them
		*h = held{gen: h.gen, kind: heldDropped}
	}
}

// handlesOf are those whose types go, or whose variables are in what goes: all that can be said without a trace.
func handlesOf(going parts) (drops []int) {
	for i := range handles.all {
		h := &handles.all[i]
		if h.class != nil && typeMentions(h.class.self, going) || h.p != nil && going.hold(uintptr(h.p)) ||
			h.kind == heldError && going.hold((*[2]uintptr)(h.p)[0]) {
			drops = append(drops, i)
		}
	}
	return drops
}
