package host

/*
#include "runtime.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"path/filepath"
	"runtime"
	"sort"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// Before a module's memory goes, nothing may refer to it any more. The collector can't tell, for that memory is none of
// its own, and what the module's own variables keep alive may refer to it as it likes: it goes, too. So, with the world
// stopped, all that is reachable without the module is traced: from the variables of the host and the other modules,
// from stacks and finalizers, through the heap. Every word that leads into the module is a reason to keep it.
//
// A reference is a pointer that leads into the module's data (a descriptor, an itab, a string, a variable), or to an itab
// that the runtime made for one of its types; or the address of a function where a closure has it, at the beginning of
// an object, which may be one that the collector never looks into. Other addresses of code are harmless: stack traces
// that somebody keeps, what the runtime notes of goroutines. Pointers are what the collector takes for such.

type part C.struct_gl_part

const holderVariable C.enum_gl_holder = C.GL_HOLDER_VARIABLE // for tests, which have no cgo

// A region is a range of addresses.
type region struct{ low, size uintptr }

func (r region) holds(p uintptr) bool { return p-r.low < r.size }

// A span is a runtime.mspan in use: equal objects, side by side. It has what is needed of the mspan, in one line of the
// processor's cache.
type span struct {
	base, size, count uintptr
	first             uintptr        // number of its first object, over all spans
	allocated         unsafe.Pointer // a bit for each object
	free              uint32         // objects before this one are allocated in any case
	inverse           uint32         // of the size: 2^32 divided by it, 0 where there is one object
	noscan            bool
	mspan             unsafe.Pointer
}

// indexOf is the number of the object that p leads into, as runtime.(*mspan).divideByElemSize finds it.
func (s *span) indexOf(p uintptr) uintptr { return uintptr(uint64(p-s.base) * uint64(s.inverse) >> 32) }

// An object is known by its span's number and its own number there.
type object struct{ span, i uint32 }

// A root is a range of words that are in use whatever else is.
type root struct {
	region
	mask     *uint8 // a bit for each word: is it a pointer? nil: any may be one
	alone    bool   // there is no need to look at types in front of the pointers
	anything bool   // nobody knows what the words are: one may be the address of a function, about to be called
	kind     C.enum_gl_holder
	goid     uint64
	pc       uintptr        // where the frame goes on
	typ      unsafe.Pointer // of the object that has a finalizer: a pointer's
}

// A tracer is one trace, made before the world stops, with all the memory that the trace takes: while the world is stopped
// nothing is allocated on Go's heap. To allocate is to sweep, and may move the list of spans that is being read.
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

// userOf finds who refers to what goes, other than goroutines that run its code. The world is stopped, handles is locked.
// It may turn out that memory is short, or that questions are open: then the result means nothing.
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
// else refers to that, but it refers to the module, and can't be taken out of the runtime's list by anybody but its maker.
func (t *tracer) ownCode() (holder, bool) {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		if s := t.spanOf(uintptr(md)); s != nil && t.marks.all[s.first+s.indexOf(uintptr(md))] == 0 {
			return holder{kind: C.GL_HOLDER_CODE, at: uintptr(md)}, true
		}
	}
	return holder{}, false
}

// findTypes finds types that go in the spans of large objects, which Go 1.22 and 1.23 read once more when they sweep a dead
// object: in spans without pointers too, where it is what an earlier object has left there. A living object, known where
// all have been looked for, keeps its type: that may stay, and without it the object's pointers aren't followed.
func (t *tracer) findTypes(looked bool) {
	if rt.mspan_large_type < 0 {
		return
	}
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		if !t.going.hold(*wordAt(mspan, rt.mspan_large_type)) {
			continue
		}
		s := t.spanOf(*wordAt(mspan, rt.mspan_start))
		isObject := s != nil && s.mspan == mspan && s.count == 1 && !s.noscan
		if !isObject || looked && t.marks.all[s.first] != markReached {
			t.types.push(mspan)
		}
	}
}

// forgetTypes takes them out. What has a type that goes now, and had one before, has it of old: nobody can make such an
// object any more.
func (t *tracer) forgetTypes() {
	for _, mspan := range t.types.all {
		if typ := wordAt(mspan, rt.mspan_large_type); t.going.hold(*typ) {
			*typ = 0
		}
	}
}

func load(p uintptr) uintptr { return *(*uintptr)(unsafe.Add(unsafe.Pointer(nil), p)) }

// goes tells whether an address is of what goes.
func (t *tracer) goes(p uintptr) bool { return t.module.holds(p) && t.going.hold(p) }

// indexAt reads a field that became narrower in Go 1.22.
func indexAt(mspan unsafe.Pointer, offset C.int32_t) uintptr {
	if rt.mspan_index_size == 2 {
		return uintptr(*(*uint16)(unsafe.Add(mspan, offset)))
	}
	return *wordAt(mspan, offset)
}

// sweep sweeps spans that the collector has left to be swept, so many at most; true: none is left. Who allocates sweeps
// spans (runtime/mcentral.go, cacheSpan; mheap.go, reclaim), and one that has nothing left may be another one a moment
// later: sweeping must be over before they are looked at.
func sweep(most int) bool {
	for sweepOne := funcOf[func() uintptr](&rt.sweep_one); sweepOne() != ^uintptr(0); most-- {
		if most == 0 {
			return false
		}
	}
	return true
}

// findSpans lists the spans in use, all of them swept.
func (t *tracer) findSpans() bool {
	low, high, objects := ^uintptr(0), uintptr(0), uintptr(0)
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		size := *wordAt(mspan, rt.mspan_elemsize)
		if *(*uint8)(unsafe.Add(mspan, rt.mspan_state)) != uint8(rt.span_in_use) || size == 0 {
			continue
		}
		s := span{
			base: *wordAt(mspan, rt.mspan_start), size: size, count: indexAt(mspan, rt.mspan_nelems), first: objects,
			noscan: *(*uint8)(unsafe.Add(mspan, rt.mspan_class))&1 != 0, mspan: mspan,
			allocated: *pointerAt(mspan, rt.mspan_alloc_bits), free: uint32(indexAt(mspan, rt.mspan_freeindex)),
		}
		if s.count > 1 {
			s.inverse = ^uint32(0)/uint32(size) + 1
		}
		t.spans.push(s)
		objects += s.count
		low, high = min(low, s.base), max(high, s.base+*wordAt(mspan, rt.mspan_npages)<<uint(rt.page_shift))
	}
	t.heap = region{low, high - low}
	if low > high {
		t.heap = region{}
	}
	t.marks.take(objects)
	t.queue.need(objects)
	t.reached.need(objects)
	t.pages.take(t.heap.size >> uint(rt.page_shift))
	if t.notesPath && objects < 1<<32 {
		t.parents.take(objects)
		t.hops.need(mostHops)
	}
	if t.isShort() {
		return false
	}
	for n := range t.spans.all {
		first := (t.spans.all[n].base - low) >> uint(rt.page_shift)
		for i := uintptr(0); i < *wordAt(t.spans.all[n].mspan, rt.mspan_npages); i++ {
			t.pages.all[first+i] = uint32(n) + 1
		}
	}
	return true
}

// isAllocated is the opposite of runtime.(*mspan).isFree.
func (s *span) isAllocated(i uintptr) bool {
	return i < uintptr(s.free) || *(*uint8)(unsafe.Add(s.allocated, i/8))>>(i%8)&1 != 0
}

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

// refers tells whether a word leads into what goes. first: it is one of an object's first, where a closure has its code.
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

func (t *tracer) spanOf(p uintptr) *span {
	if t.heap.holds(p) {
		if n := t.pages.all[(p-t.heap.low)>>uint(rt.page_shift)]; n != 0 {
			return &t.spans.all[n-1]
		}
	}
	return nil
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

// next takes an object out of the queue, to be looked through. A few are on their way from there: the processor fetches them
// from memory while others are looked through, which is what most of the time goes into.
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

// weakVariables are those out of which what goes will be taken: the runtime's first table of itabs, what reflect has made
// at run time, and each module's list of types. Lua's handles are looked at in the end.
func weakVariables() []region {
	weak := []region{
		{uintptr(rt.itab_table_init), uintptr(rt.table_entries) + *wordAt(rt.itab_table_init, rt.table_size)*word},
		{uintptr(unsafe.Pointer(&handles)), unsafe.Sizeof(handles)},
		{uintptr(unsafe.Pointer(&typeLists)), unsafe.Sizeof(typeLists)},
	}
	if rt.reflect_offs != nil {
		weak = append(weak, region{uintptr(rt.reflect_offs), uintptr(max(rt.reflect_offs_m, rt.reflect_offs_minv)) + word})
	}
	if rt.module_to_typelinks != nil {
		weak = append(weak, region{uintptr(rt.module_to_typelinks), word})
	}
	return weak
}

// isType tells whether a word in front of a pointer may be an interface's type or itab, which are no pointers to the
// collector (cmd/compile/internal/typebits): one of what goes, or a type that reflect has made. Such a word may also be a
// number, or mostly padding, and that keeps what was on the stack where the value was made.
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

// A filter tells words apart that may matter from those that don't: where they lead. There are few places, since each
// word of all variables is compared with each.
type filter [4]region

func (f *filter) passes(w uintptr) bool {
	return f[0].holds(w) || f[1].holds(w) || f[2].holds(w) || f[3].holds(w)
}

var everywhere = filter{{0, ^uintptr(0)}}

// around is one region around two.
func (r region) around(other region) region {
	low, high := min(r.low, other.low), max(r.low+r.size, other.low+other.size)
	return region{low, high - low}
}

// filter lets pass what leads to the heap, or to what matters outside of it: the pages of what goes and its variables,
// which may lie far from each other with all other modules in between; itabs, and what stayed of others. Where that is
// one place more than there is room for, those are taken together that are nearest to each other.
func (t *tracer) filter() *filter {
	var places [4]region
	n := 0
	for _, r := range [...]region{t.going.pages(), t.going.blocks(), t.around, t.keptIn} {
		if r.size > 0 {
			places[n] = r
			n++
		}
	}
	for ; n >= len(t.into); n-- {
		first, second, least := 0, 1, ^uintptr(0)
		for i := range places[:n] {
			for k := range places[:i] {
				if size := places[i].around(places[k]).size; size < least {
					first, second, least = k, i, size
				}
			}
		}
		places[first] = places[first].around(places[second])
		places[second] = places[n-1]
	}
	t.into = filter{t.heap}
	copy(t.into[1:], places[:n])
	return &t.into
}

// eachPointer calls do for every pointer of a root that a filter lets pass, and for the types in front of pointers,
// until do says that it is done. Most of a root's words are variables of the host's that lead nowhere, or into the
// host's own data.
func (t *tracer) eachPointer(r root, into *filter, do func(at, w uintptr) bool) bool {
	words := r.size / word
	wasPointer := uint64(1) // in front of the first word is nothing of the root's
	for first := uintptr(0); first < words; first += 64 {
		here, pointers, fronted := r.low+first*word, ^uint64(0), uint64(0)
		if r.mask != nil {
			pointers = maskAt(r.mask, first, words)
			if !r.alone {
				fronted = pointers &^ (pointers<<1 | wasPointer)
			}
			wasPointer = pointers >> 63
		}
		if left := words - first; left < 64 {
			pointers &= 1<<left - 1
		}
		if r.kind == C.GL_HOLDER_VARIABLE && pointers != 0 {
			pointers &^= t.weakWords(here)
		}
		for ; pointers != 0; pointers &= pointers - 1 {
			i := uintptr(bits.TrailingZeros64(pointers))
			at := here + i*word
			if w := load(at); w != 0 && into.passes(w) && do(at, w) {
				return true
			}
			if fronted>>i&1 == 0 {
				continue
			}
			if w := load(at - word); w != 0 && into.passes(w) && t.isType(w) && do(at-word, w) {
				return true
			}
		}
	}
	return false
}

func (t *tracer) setWeak(weak []region) {
	sort.Slice(weak, func(i, k int) bool { return weak[i].low < weak[k].low })
	t.weak, t.weakIn = weak, weak[0]
	for _, r := range weak {
		t.weakIn = t.weakIn.around(r)
	}
}

// weakWords are those of 64 words from an address on that are of variables which aren't followed.
func (t *tracer) weakWords(low uintptr) (weak uint64) {
	high := low + 64*word
	if high <= t.weakIn.low || t.weakIn.low+t.weakIn.size <= low {
		return 0
	}
	for i := range t.weak {
		r := &t.weak[i]
		if r.low >= high {
			break // they are in order
		}
		if end := r.low + r.size; low < end {
			first, last := (max(r.low, low)-low+word-1)/word, (min(end, high)-low+word-1)/word
			weak |= (^uint64(0) >> (64 - (last - first))) << first
		}
	}
	return weak
}

func isPointer(mask *uint8, i uintptr) bool {
	return *(*uint8)(unsafe.Add(unsafe.Pointer(mask), i/8))>>(i%8)&1 != 0
}

// maskAt returns the mask's bits for 64 words of so many, from one on that is a multiple of 64.
func maskAt(mask *uint8, first, words uintptr) (pointers uint64) {
	at := unsafe.Add(unsafe.Pointer(mask), first/8)
	if words-first >= 64 {
		return binary.LittleEndian.Uint64(unsafe.Slice((*byte)(at), 8))
	}
	for i := uintptr(0); first+i < words; i += 8 {
		pointers |= uint64(*(*uint8)(unsafe.Add(at, i/8))) << i
	}
	return pointers
}

// pointers walks over an object's pointers: runtime.typePointers, or before Go 1.22 runtime.heapBits.
type pointers struct{ elem, addr, mask, typ uintptr }

func (s *span) pointersOf(object uintptr) pointers {
	if rt.type_pointers_of != nil {
		return funcOf[func(unsafe.Pointer, uintptr) pointers](&rt.type_pointers_of)(s.mspan, object)
	}
	return funcOf[func(addr, size uintptr) pointers](&rt.heap_bits_for)(object, s.size)
}

// next is where the next pointer is, before an address; 0: there is none.
func (it *pointers) next(limit uintptr) (at uintptr) {
	switch {
	case rt.type_pointers_of == nil:
		*it, at = funcOf[func(pointers) (pointers, uintptr)](&rt.next_pointer)(*it)
	case it.mask != 0: // (typePointers).nextFast
		at = it.addr + uintptr(bits.TrailingZeros64(uint64(it.mask)))*word
		it.mask &= it.mask - 1
	case it.typ != 0:
		*it, at = funcOf[func(pointers, uintptr) (pointers, uintptr)](&rt.next_pointer)(*it, limit)
	}
	return at
}

// holdsG tells whether an object is a runtime.g. In front of pointers those have stack pointers, dead ones of stacks that
// may have become something else since.
func (s *span) holdsG(object uintptr) bool {
	return s.size >= uintptr(rt.g_size) && load(object+uintptr(rt.g_sched_g)) == object
}

// eachRoot calls do until it says that it is done.
func (t *tracer) eachRoot(do func(root) bool) bool {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		for _, section := range [...]struct{ start, end, mask C.int32_t }{
			{rt.moduledata_data, rt.moduledata_edata, rt.moduledata_gcdatamask},
			{rt.moduledata_bss, rt.moduledata_ebss, rt.moduledata_gcbssmask},
		} {
			low, high := *wordAt(md, section.start), *wordAt(md, section.end)
			// a bitvector: n, bytedata
			mask := (*uint8)(*pointerAt(md, section.mask+C.int32_t(word)))
			if t.going.eachOther(region{low, high - low}, func(r region) bool {
				return do(root{region: r, mask: (*uint8)(unsafe.Add(unsafe.Pointer(mask), (r.low-low)/word/8)),
					kind: C.GL_HOLDER_VARIABLE})
			}) {
				return true
			}
		}
	}
	if eachGoroutine(t.self, func(g unsafe.Pointer, goid uint64) bool {
		t.findStack(g, goid)
		for i := range t.roots.all {
			if do(t.roots.all[i]) {
				return true
			}
		}
		return false
	}) {
		return true
	}
	for i := range rt.pending {
		p := &rt.pending[i]
		if p.first == nil {
			continue
		}
		for block := *(*unsafe.Pointer)(p.first); block != nil; block = *pointerAt(block, p.alllink) {
			count := uintptr(*(*uint32)(unsafe.Add(block, p.count)))
			items := region{uintptr(block) + uintptr(p.items), count * uintptr(p.item_size)}
			if do(root{region: items, kind: C.GL_HOLDER_FINALIZER}) {
				return true
			}
		}
	}
	for i := range t.spans.all {
		for s := *pointerAt(t.spans.all[i].mspan, rt.mspan_specials); s != nil; s = *pointerAt(s, rt.special_next) {
			if do(specialRoot(s)) {
				return true
			}
		}
	}
	return false
}

// specialRoot is what the runtime's note of an object refers to (runtime/mheap.go, special): a finalizer's function, the
// type of its argument, and the object's; a cleanup's functions and argument. All lie behind what notes have in common.
func specialRoot(s unsafe.Pointer) root {
	r := root{region: region{uintptr(s) + uintptr(rt.special_size), 0}, kind: C.GL_HOLDER_FINALIZER}
	switch int64(*(*uint8)(unsafe.Add(s, rt.special_kind))) {
	case int64(rt.kind_finalizer):
		r.size = uintptr(rt.special_finalizer_size - rt.special_size)
		r.typ = *pointerAt(s, rt.special_finalizer_size-C.int32_t(word))
	case int64(rt.kind_cleanup):
		r.size = uintptr(rt.cleanup_funcs) * word
	}
	return r
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

// offsetOf is where in its span the object is that a note is about: 16 bits up to Go 1.23, then a word.
func offsetOf(special unsafe.Pointer) uintptr {
	if rt.special_kind-rt.special_offset == 2 {
		return uintptr(*(*uint16)(unsafe.Add(special, rt.special_offset)))
	}
	return *wordAt(special, rt.special_offset)
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
// still lead to them. A weak pointer is a pointer to a word that has the object's address, and the runtime's note of the
// object leads to that word (runtime/mheap.go, specialWeakHandle).
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

// roleOf tells of an object that keeps others whether it is one of the runtime's that has a better name than the variable
// which leads there: a goroutine's record, or the list of a processor's timers.
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

// tell writes down who it is, for C to name. The module is still there.
func (h holder) tell(r *C.struct_gl_retired, hops []hop) {
	r.holder = h.kind
	r.holder_at = C.uintptr_t(h.at)
	r.holder_word = C.uintptr_t(h.word)
	r.holder_through = C.size_t(h.through)
	if h.itab != nil {
		r.word_name = C.CString(fmt.Sprintf("the itab of %v for %v", typeAt(*pointerAt(h.itab, rt.itab_type)),
			typeAt(*pointerAt(h.itab, rt.itab_inter))))
	}
	text := ""
	switch h.kind {
	case C.GL_HOLDER_HANDLE:
		text = "Lua holds a handle of " + h.name
	case C.GL_HOLDER_STACK:
		trace, _ := tracebackOf(h.goid)
		text = fmt.Sprintf("a variable of goroutine %d%s\n\n%s", h.goid, placeOf(h.pc), trace)
	case C.GL_HOLDER_GOROUTINE:
		trace, _ := tracebackOf(h.goid)
		text = fmt.Sprintf("what the runtime notes of goroutine %d\n\n%s", h.goid, trace)
	case C.GL_HOLDER_FINALIZER:
		if h.typ != nil {
			text = "the finalizer of a " + typeAt(h.typ).String()
		}
	case C.GL_HOLDER_FINALIZED:
		if h.typ != nil {
			text = "a " + typeAt(h.typ).String() + ", which has a finalizer,"
		}
	}
	if text != "" {
		r.reason = C.CString(text)
	}
	h.tellPath(r, hops)
}

// placeOf says in which function a return address is, and where.
func placeOf(pc uintptr) string {
	if pc == 0 {
		return ""
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return fmt.Sprintf(", in %s (%s:%d),", frame.Function, filepath.Base(frame.File), frame.Line)
}
