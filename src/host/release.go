package host

/*
#include "runtime.h"
*/
import "C"

import (
	"reflect"
	"strings"
	"unsafe"
)

// What Lua's handles lead to is looked at after everything else, when a module is to go and nothing else refers to it:
// a handle that does is the reason to stay, and is named. It is not, where the handle may be dropped: what Lua is told
// to do without, and the Go values behind error tables, which are still errors without them.

// A drop is a handle that is to be dropped: its place in handles.all, and which of those that were there it is.
type drop struct {
	i   int
	gen uint32
}

// findHandles looks for handles by which Lua holds what goes, once everything else has been traced. handles is locked.
func (t *tracer) findHandles() (user holder, found bool) {
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
				return holder{kind: C.GL_HOLDER_HANDLE, handle: i, gen: h.gen}, true
			}
			t.drops.push(drop{i, h.gen})
		}
	}
	return holder{}, false
}

// leads tells whether what a handle stands for refers to what goes. A module's constant strings can outlive it, but
// their memory then stays as long as the handle does: a handle that may be dropped is dropped rather than that.
func (t *tracer) leads(h *held, mayDrop bool) bool {
	constants := t.constants
	t.constants, t.stopAtConstants = constants && !mayDrop, mayDrop
	leads := t.leadsOut(uintptr(unsafe.Pointer(h.class)), uintptr(h.p), 0, 0)
	t.constants, t.stopAtConstants = constants || !leads && t.constants, false
	return leads
}

// leadsOut tells whether one of four words leads into what goes. If so, the objects that were reached on the way, and
// from nowhere else before, are marked as dropped: a later handle that reaches one of them need not be traced
// further.
func (t *tracer) leadsOut(a, b, c, d uintptr) bool {
	t.dropped = false
	t.emptyQueue()
	t.reached.empty()
	t.noteReached = true
	found := t.follow(a) || t.follow(b) || t.follow(c) || t.follow(d)
	for !found && !t.dropped && !(t.stopAtConstants && t.constants) {
		s, i, more := t.next()
		if !more {
			break
		}
		_, found = t.lookThrough(s, i)
	}
	t.noteReached = false
	if !found && !t.dropped && !(t.stopAtConstants && t.constants) {
		return false
	}
	for _, o := range t.reached.all {
		t.marks.all[t.spans.all[o.span].first+uintptr(o.i)] = markDropped
	}
	return true
}

// dropHandles takes their values from those of Lua's handles that Lua has not released meanwhile. names are the
// types' names by handle, from nameHandles. handles is locked.
func dropHandles(drops []drop, names map[int]string) {
	for _, d := range drops {
		if h := &handles.all[d.i]; h.gen == d.gen {
			handles.dropped[uint32(d.i)] = names[d.i]
			*h = held{gen: h.gen, kind: heldDropped}
		}
	}
}

// haveBeenUsed tells whether somebody has asked for what one of them stands for, since forgetUses. handles is locked.
func haveBeenUsed(drops []drop) bool {
	for _, d := range drops {
		if h := &handles.all[d.i]; h.gen == d.gen && h.used {
			return true
		}
	}
	return false
}

// forgetUses begins what haveBeenUsed asks about. handles is locked.
func forgetUses() {
	for i := range handles.all {
		handles.all[i].used = false
	}
}

// nameHandles copies the types' names of all handles that may have to do with what goes, before it does: names of types
// go with them. handles is locked.
func nameHandles() map[int]string {
	names := map[int]string{}
	for i := range handles.all {
		if h := &handles.all[i]; h.kind != heldNothing && h.kind != heldDropped {
			names[i] = strings.Clone(h.name())
		}
	}
	return names
}

// handlesOf lists the handles whose types go, or whose variables lie in what goes. What their values refer to would
// take a trace.
func handlesOf(going parts) (drops []drop) {
	for i := range handles.all {
		h := &handles.all[i]
		if h.class != nil && typeMentions(h.class.self, going) || h.p != nil && going.hold(uintptr(h.p)) ||
			h.kind == heldError && typeMentions(reflect.TypeOf(*(*error)(h.p)), going) {
			drops = append(drops, drop{i, h.gen})
		}
	}
	return drops
}
