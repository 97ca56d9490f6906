package host

/*
#include "runtime.h"
*/
import "C"

import (
	"sort"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// Before a module's memory goes, nothing may refer to it any more. The collector can't tell, for that memory is none of
// its own, and what the module's own variables keep alive may refer to it as it likes: it goes, too. So, with the world
// stopped, all that is reachable without the module is traced: from the variables of the host and the other modules,
// from stacks and finalizers, through the heap. Every word that leads into the module is a reason to keep it.
//
// A reference is a pointer that leads into the module's data (a descriptor, an itab, a string, a variable), or to an
// itab that the runtime made for one of its types; or the address of a function where a closure has it, at the
// beginning of an object, which may be one that the collector never looks into. Other addresses of code are harmless:
// stack traces that somebody keeps, what the runtime notes of goroutines. Pointers are what the collector takes for
// such.

type part C.struct_gl_part

const holderVariable C.enum_gl_holder = C.GL_HOLDER_VARIABLE // for tests, which have no cgo

// A region is a range of addresses.
type region struct{ low, size uintptr }

func (r region) holds(p uintptr) bool { return p-r.low < r.size }

// A tracer is one trace, made before the world stops, with all the memory that the trace takes: while the world is
// stopped nothing is allocated on Go's heap. To allocate is to sweep, and may move the list of spans that is being
// read.
type tracer struct {
	memory
	going  parts
	module region // around all of going: tells most words apart at once
	around region // around itabs
	into   filter // what roots lead to that matters

	hasPlaces bool // places are those of itabs that go

	weak     []region // variables that aren't followed, or elsewhere: in the order of their addresses
	weakIn   region   // around them
	caches   *caches
	self     uint64
	unwinder unsafe.Pointer // a runtime.unwinder
	heap     region         // around all spans

	constants  bool      // constant strings are in use
	count      uintptr   // of objects that were reached
	ahead      [8]object // a ring: out of the queue, and to be looked through next
	nahead     int       // how many those are
	firstAhead int
	keptIn     region             // around what stayed of others
	answers    []C.struct_gl_slot // what is known of words in frames

	// for handles
	dropHandles bool
	noteReached bool // by way of a handle or an entry in a cache

	stopAtConstants bool // a constant string is a reason to stay, too
	dropped         bool // it reached an object that one to be dropped has

	// where the way to the reference is to be told (path.go)
	notesPath bool
	from      uint32 // 1 + number of the object that is looked through; 0: of none
	taken     int    // out of the queue
}

// An object's mark
const (
	markReached = 1
	markDropped = 2 // by way of a handle that is dropped, and not otherwise
)

// A holder is who refers to the module.
type holder struct {
	kind    C.enum_gl_holder
	at      uintptr // where the reference is; of an object on the heap: where that is
	goid    uint64
	word    uintptr        // the reference
	itab    unsafe.Pointer // which that is, where the runtime has made it
	pc      uintptr        // where the frame goes on that it is in
	through int            // objects that lie between the holder and the reference
	handle  int            // place of Lua's handle
	gen     uint32         // and which of those that were there it is
	name    string         // its type's
	typ     unsafe.Pointer // of the object that has a finalizer: a pointer's
	omitted int            // objects between them that there are no hops of
	leads   uintptr        // where the holder's own pointer leads
	before  uintptr        // and the word in front of it, in a variable
	isAlone bool           // which may be another one's: nothing says that it belongs to the pointer
}

// userOf finds who refers to what goes, other than goroutines that run its code. The world is stopped, handles is
// locked. It may turn out that memory is short, or that questions are open: then the result means nothing.
func (t *tracer) userOf() (user holder, found bool) {
	t.findItabs()
	if !t.findSpans() {
		return user, false
	}
	if user, found = t.trace(); !found && len(t.questions.all) > 0 {
		return user, false
	}
	if !found {
		user, found = t.caches.follow(t)
	}
	if !found {
		user, found = t.keepWeak() // of what caches have
	}
	if !found {
		user, found = t.ownCode()
	}
	if !found {
		user, found = t.findHandles()
	}
	if found && (user.kind == C.GL_HOLDER_OBJECT || user.kind == C.GL_HOLDER_FINALIZED) {
		user = t.findPath(user)
	}
	if found {
		user.itab = t.itabAt(user.word)
	}
	return user, found
}

// ownCode finds machine code that the module has made at run time and told the runtime of, as JIT compilers do. Nothing
// else refers to that, but it refers to the module, and can't be taken out of the runtime's list by anybody but its
// maker.
func (t *tracer) ownCode() (holder, bool) {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		if s := t.spanOf(uintptr(md)); s != nil && t.marks.all[s.first+s.indexOf(uintptr(md))] == 0 {
			return holder{kind: C.GL_HOLDER_CODE, at: uintptr(md)}, true
		}
	}
	return holder{}, false
}

func load(p uintptr) uintptr { return *(*uintptr)(unsafe.Add(unsafe.Pointer(nil), p)) }

// goes tells whether an address is of what goes.
func (t *tracer) goes(p uintptr) bool { return t.module.holds(p) && t.going.hold(p) }

// itabAt is the itab that the runtime has made for what goes, if a word is one's address.
func (t *tracer) itabAt(w uintptr) unsafe.Pointer {
	if t.around.holds(w) {
		for i := range t.itabs.all {
			if t.itabs.all[i].at == w {
				return pointerTo(w)
			}
		}
	}
	return nil
}

// refers tells whether a word leads into what goes. first: it is one of an object's first, where a closure has its
// code.
func (t *tracer) refers(w uintptr, first bool) bool {
	if t.itabAt(w) != nil {
		return true
	}
	if !t.module.holds(w) {
		return false
	}
	for i := range t.going {
		p := (*part)(&t.going[i])
		switch {
		case uintptr(p.variables) <= w && w < uintptr(p.evariables):
			return true
		case w < uintptr(p.low) || uintptr(p.high) <= w:
			continue
		case w-uintptr(p.moduledata) < uintptr(rt.moduledata_size):
			return false // the runtime's list of modules
		case w < uintptr(p.rodata):
			return first && isEntry(p.moduledata, w)
		case uintptr(p.strings) <= w && w < uintptr(p.estrings):
			t.constants = true // nothing but bytes: they can stay
			return false
		}
		return true
	}
	return false
}

// runtime.functab
type functabEntry struct{ entryoff, funcoff uint32 }

// functab is a module's functions, by address; the last entry is the end of its code.
func functab(moduledata unsafe.Pointer) []functabEntry {
	return *(*[]functabEntry)(unsafe.Add(moduledata, rt.moduledata_ftab))
}

// functionAt finds the function that code lies in: its number in the table, and whether it starts there.
func functionAt(moduledata unsafe.Pointer, pc uintptr) (i int, isEntry bool) {
	table := functab(moduledata)
	off := uint32(pc - *wordAt(moduledata, rt.moduledata_text))
	low, high := 0, len(table)-1
	for low < high {
		if middle := int(uint(low+high) >> 1); table[middle].entryoff <= off {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low - 1, low > 0 && table[low-1].entryoff == off
}

func isEntry(moduledata unsafe.Pointer, pc uintptr) bool {
	_, is := functionAt(moduledata, pc)
	return is
}

// reach marks the object that a word leads into, to be looked through later. false: it doesn't lead into a span.
func (t *tracer) reach(w uintptr) bool {
	if !t.heap.holds(w) {
		return false
	}
	n := t.pages.all[(w-t.heap.low)>>uint(rt.page_shift)]
	if n == 0 {
		return false
	}
	s := &t.spans.all[n-1]
	i := s.indexOf(w)
	if i >= s.count {
		return true
	}
	mark := &t.marks.all[s.first+i]
	if *mark != 0 || !s.isAllocated(i) {
		t.dropped = t.dropped || *mark == markDropped
		return true
	}
	*mark = markReached
	if t.notesPath {
		t.noteParent(s.first + i)
	}
	o := object{n - 1, uint32(i)}
	t.queue.push(o)
	t.count++
	if t.noteReached {
		t.reached.push(o)
	}
	return true
}

// keep is told what stayed of modules that went before: what nothing turns out to lead to is given back.
func (t *tracer) keep(kept []C.struct_gl_kept) {
	t.kept.take(uintptr(len(kept)))
	copy(t.kept.all, kept)
	if len(kept) > 0 {
		low := uintptr(kept[0].low)
		t.keptIn = region{low, uintptr(kept[len(kept)-1].high) - low}
	}
}

// noteKept notes that a word leads into what stayed of another module, if it does.
func (t *tracer) noteKept(w uintptr) {
	if !t.keptIn.holds(w) {
		return
	}
	i := sort.Search(len(t.kept.all), func(i int) bool { return w < uintptr(t.kept.all[i].high) })
	if i < len(t.kept.all) && w >= uintptr(t.kept.all[i].low) {
		t.kept.all[i].is_used = 1
	}
}

// follow looks at a pointer: it marks what that leads to, or finds that it leads into what goes.
func (t *tracer) follow(w uintptr) bool {
	if t.reach(w) {
		return false // where a span is nothing else is
	}
	t.noteKept(w)
	return (t.module.holds(w) || t.around.holds(w)) && t.refers(w, false)
}

// next takes an object out of the queue, to be looked through. A few are on their way from there: the processor fetches
// them from memory while others are looked through, which is what most of the time goes into.
func (t *tracer) next() (s *span, i uintptr, found bool) {
	for t.nahead < len(t.ahead) && len(t.queue.all) > t.taken {
		last := len(t.queue.all) - 1
		o := t.queue.all[last]
		if t.notesPath { // the nearest first
			o = t.queue.all[t.taken]
			t.taken++
		} else {
			t.queue.all = t.queue.all[:last]
		}
		s := &t.spans.all[o.span]
		enter.Prefetch(s.base + uintptr(o.i)*s.size)
		t.ahead[(t.firstAhead+t.nahead)%len(t.ahead)] = o
		t.nahead++
	}
	if t.nahead == 0 {
		return nil, 0, false
	}
	o := t.ahead[t.firstAhead%len(t.ahead)]
	t.firstAhead++
	t.nahead--
	return &t.spans.all[o.span], uintptr(o.i), true
}

// emptyQueue forgets what was to be looked through.
func (t *tracer) emptyQueue() {
	t.queue.empty()
	t.nahead, t.taken = 0, 0
}

// isType tells whether a word in front of a pointer may be an interface's type or itab, which are no pointers to the
// collector (cmd/compile/internal/typebits): one of what goes, or a type that reflect has made. Such a word may also be
// a number, or mostly padding, and that keeps what was on the stack where the value was made.
func (t *tracer) isType(w uintptr) bool {
	if w%word != 0 {
		return false
	}
	if t.around.holds(w) || t.keptIn.holds(w) {
		return true // refers and noteKept know each
	}
	if t.module.holds(w) {
		return t.going.areConstant(w)
	}
	s := t.spanOf(w)
	if s == nil || rt.reflect_offs == nil || (w-s.base)%s.size != 0 || s.size < uintptr(rt.type_str)+word {
		return false
	}
	_, isMade := (*reflectMade())[int32(load(w+uintptr(rt.type_str)))]
	return isMade
}

// reflectMade is runtime.reflectOffs.m: what reflect has made and types refer to by number, first of all their names.
func reflectMade() *map[int32]unsafe.Pointer {
	return (*map[int32]unsafe.Pointer)(unsafe.Add(rt.reflect_offs, rt.reflect_offs_m))
}

// around is one region around two.
func (r region) around(other region) region {
	low, high := min(r.low, other.low), max(r.low+r.size, other.low+other.size)
	return region{low, high - low}
}

// keepFinalized looks through the objects that have a finalizer: it will be called with them once nobody else refers to
// them, and what they refer to is in use till then (runtime/mgcmark.go, markrootSpans). They themselves need not be.
func (t *tracer) keepFinalized() (user holder, found bool) {
	for n := range t.spans.all {
		sp := &t.spans.all[n]
		for s := *pointerAt(sp.mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
			if int64(*(*uint8)(unsafe.Add(s, rt.special_kind))) != int64(rt.kind_finalizer) {
				continue
			}
			i := offsetOf(s) / sp.size
			t.from = uint32(sp.first+i) + 1
			user.word, found = t.lookThrough(sp, i)
			if t.from = 0; found {
				user.kind, user.at = C.GL_HOLDER_FINALIZED, sp.base+i*sp.size
				user.typ = specialRoot(s).typ
				return user, true
			}
		}
	}
	return user, false
}

// trace looks through all that is in use. With questions open it looks at the roots only.
func (t *tracer) trace() (user holder, found bool) {
	into := t.filter()
	if t.eachRoot(func(r root) bool {
		return t.eachPointer(r, into, func(at, w uintptr) bool {
			if r.anything && t.refers(w, true) {
				found = true
			} else {
				found = t.follow(w)
			}
			if found {
				user = holder{kind: r.kind, goid: r.goid, pc: r.pc, typ: r.typ, at: at, word: w}
			}
			return found
		})
	}) {
		return user, true
	}
	if len(t.questions.all) > 0 {
		return user, false // it is all to be done again
	}
	if user, found = t.keepFinalized(); found {
		return user, true
	}
	if user, found = t.drain(); found {
		return user, true
	}
	return t.keepWeak()
}

// keepWeak looks through objects that nobody has but weak pointers which somebody has: until they are collected, those
// still lead to them. A weak pointer is a pointer to a word that has the object's address, and the runtime's note of
// the object leads to that word (runtime/mheap.go, specialWeakHandle).
func (t *tracer) keepWeak() (user holder, found bool) {
	t.emptyQueue()
	for more := rt.kind_weak >= 0; more; {
		more = false
		for n := range t.spans.all {
			sp := &t.spans.all[n]
			for s := *pointerAt(sp.mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
				if int64(*(*uint8)(unsafe.Add(s, rt.special_kind))) != int64(rt.kind_weak) {
					continue
				}
				at := sp.base + offsetOf(s)
				if t.isReached(at) || !t.isReached(*wordAt(s, rt.special_size)) {
					continue
				}
				more = true
				t.reach(at)
				if user, found = t.drain(); found {
					return user, true
				}
			}
		}
	}
	return user, false
}

func (t *tracer) isReached(p uintptr) bool {
	s := t.spanOf(p)
	return s != nil && t.marks.all[s.first+s.indexOf(p)] == markReached
}

// drain looks through what was reached, and all that is reached from there.
func (t *tracer) drain() (user holder, found bool) {
	for s, i, more := t.next(); more && !found; s, i, more = t.next() {
		t.from = uint32(s.first+i) + 1
		if user.word, found = t.lookThrough(s, i); found {
			user.kind, user.at = C.GL_HOLDER_OBJECT, s.base+i*s.size
			break
		}
	}
	t.from = 0
	return user, found
}

// lookThrough follows the pointers of an object; it returns one that leads into what goes.
func (t *tracer) lookThrough(s *span, i uintptr) (word1 uintptr, found bool) {
	// Code is no pointer to the collector, nor is the type in front.
	hasType := !s.noscan && rt.header_min >= 0 && s.size > uintptr(rt.header_min)
	for k := uintptr(0); k == 0 || hasType && k == 1; k++ {
		w := load(s.base + i*s.size + k*word)
		t.noteKept(w)
		if t.module.holds(w) && t.refers(w, true) && (t.going.hasCode(w) || hasType && k == 0) {
			return w, true
		}
	}
	if s.noscan {
		return 0, false
	}
	if rt.mspan_large_type >= 0 && s.count == 1 {
		// the type of an object that has a span to itself is kept there
		typ := *wordAt(s.mspan, rt.mspan_large_type)
		t.noteKept(typ)
		if t.refers(typ, false) {
			return typ, true
		}
	}
	object := s.base + i*s.size
	front := !s.holdsG(object)
	it := s.pointersOf(object)
	for last := uintptr(0); ; {
		at := it.next(object + s.size)
		if at == 0 {
			return 0, false
		}
		if w := load(at); t.follow(w) {
			return w, true
		}
		// as in hopAt, which is too slow here
		if front && at > object && at-word != last {
			if w := load(at - word); w != 0 && t.isType(w) && t.follow(w) {
				return w, true
			}
		}
		last = at
	}
}

// roleOf tells of an object that keeps others whether it is one of the runtime's that has a better name than the
// variable which leads there: a goroutine's record, or the list of a processor's timers.
func roleOf(o region) (C.enum_gl_holder, uint64) {
	if o.size >= uintptr(rt.g_size) && load(o.low+uintptr(rt.g_sched_g)) == o.low {
		return C.GL_HOLDER_GOROUTINE, *(*uint64)(unsafe.Add(*(*unsafe.Pointer)(unsafe.Pointer(&o.low)), rt.g_goid))
	}
	for _, p := range *(*[]unsafe.Pointer)(rt.allp) {
		if p != nil && *wordAt(p, rt.p_timers) == o.low {
			return C.GL_HOLDER_TIMER, 0
		}
	}
	return C.GL_HOLDER_OBJECT, 0
}

func (ps parts) hasCode(w uintptr) bool {
	for i := range ps {
		if uintptr(ps[i].text) <= w && w < uintptr(ps[i].rodata) {
			return true
		}
	}
	return false
}

// areConstant tells whether a word leads to constant data that is no text: where types and itabs are.
func (ps parts) areConstant(w uintptr) bool {
	for i := range ps {
		if uintptr(ps[i].rodata) <= w && w < uintptr(ps[i].erodata) {
			return w < uintptr(ps[i].strings) || uintptr(ps[i].estrings) <= w
		}
	}
	return false
}

// pages are around all that they have but the variables of small ones, which lie among those of others: blocks.
func (ps parts) pages() region {
	low, high := ^uintptr(0), uintptr(0)
	for i := range ps {
		low, high = min(low, uintptr(ps[i].low)), max(high, uintptr(ps[i].high))
	}
	return region{low, high - low}
}

func (ps parts) blocks() region {
	low, high := ^uintptr(0), uintptr(0)
	for i := range ps {
		if ps[i].variables != nil {
			low, high = min(low, uintptr(ps[i].variables)), max(high, uintptr(ps[i].evariables))
		}
	}
	if low > high {
		return region{}
	}
	return region{low, high - low}
}

func (ps parts) around() region {
	if blocks := ps.blocks(); blocks.size > 0 {
		return ps.pages().around(blocks)
	}
	return ps.pages()
}

// eachOther calls do for what is in a range of variables and is none of theirs, until it says that it is done. They may
// have all of it, or blocks in it, in no order.
func (ps parts) eachOther(all region, do func(region) bool) bool {
	low, high := all.low, all.low+all.size
	for low < high {
		end, next := high, high
		for i := range ps {
			if p := &ps[i]; uintptr(p.low) <= low && low < uintptr(p.high) {
				return false
			} else if at := uintptr(p.variables); low <= at && at < end {
				end, next = at, uintptr(p.evariables)
			}
		}
		if low < end && do(region{low, end - low}) {
			return true
		}
		low = next
	}
	return false
}
