package host

/*
#include "runtime.h"
*/
import "C"

import (
	"fmt"
	"sort"
	"sync/atomic"
	"unsafe"
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

// A region is a range of addresses.
type region struct{ low, size uintptr }

func (r region) holds(p uintptr) bool { return p-r.low < r.size }

// A span is a runtime.mspan in use: equal objects, side by side.
type span struct {
	base, size, count uintptr
	first             uintptr // number of its first object, over all spans
	noscan            bool
	mspan             unsafe.Pointer
}

// An object is known by its span and its number there.
type object struct {
	span *span
	i    uintptr
}

// A root is a range of words that are in use whatever else is.
type root struct {
	region
	mask *uint8 // a bit for each word: is it a pointer? nil: any may be one
	kind C.enum_gl_holder
	goid uint64
}

// A tracer is one trace. It lives while the world is stopped.
type tracer struct {
	going  parts
	types  bool       // may stay
	module region     // around all of going: tells most words apart at once
	itabs  []deadItab // made at run time for what goes, in memory of the runtime's
	around region     // around those

	names     map[int32]bool // of types that reflect has made and still knows
	weak      regions        // variables that aren't followed
	self      uint64
	unwinder  unsafe.Pointer // a runtime.unwinder
	spans     []span
	heap      region             // around all spans
	pages     []uint32           // of the heap: 1 + number of the page's span
	marks     []uint8            // by object: reached
	constants bool               // some that can stay are in use
	kept      []C.struct_gl_kept // what stayed of others: is it still in use?
	keptIn    region             // around those
	queue     []object           // reached, but not yet looked through

	// for handles
	dropHandles bool
	drops       []int    // which are to be dropped
	reached     []object // from one of them
	dropped     bool     // it reached an object that one to be dropped has
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
	size    uintptr // of the object
	goid    uint64
	word    uintptr // the reference
	through int     // objects that lie between the holder and the reference
	handle  string  // type of the handle
}

// userOf finds who refers to what goes, other than goroutines that run its code. The world is stopped, handles is locked.
func (t *tracer) userOf(going parts) (user holder, found bool) {
	t.going, t.module, t.weak = going, going.around(), weakVariables()
	t.findItabs()
	t.findSpans()
	if user, found = t.trace(); !found {
		user, found = t.ownCode()
	}
	if !found {
		user, found = t.findHandles()
	}
	if found && user.kind == C.GL_HOLDER_OBJECT {
		user = t.rootOf(user)
	}
	if !found {
		t.forgetMade()
	}
	return user, found
}

// forgetMade takes out of runtime.reflectOffs what goes, and what only that table still refers to: names, types and code
// that reflect has made of it. A made type refers to its name by number.
func (t *tracer) forgetMade() {
	if rt.reflect_offs == nil {
		return
	}
	made := *reflectMade()
	inverse := *(*map[unsafe.Pointer]int32)(unsafe.Add(rt.reflect_offs, rt.reflect_offs_minv))
	for id, p := range made {
		if t.names[id] {
			continue
		}
		s := t.spanOf(uintptr(p))
		if t.going.hold(uintptr(p)) || s != nil && t.marks[s.first+(uintptr(p)-s.base)/s.size] != markReached {
			delete(made, id)
			delete(inverse, p)
		}
	}
}

// ownCode finds machine code that the module has made at run time and told the runtime of, as JIT compilers do. Nothing
// else refers to that, but it refers to the module, and can't be taken out of the runtime's list by anybody but its maker.
func (t *tracer) ownCode() (holder, bool) {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		if s := t.spanOf(uintptr(md)); s != nil && t.marks[s.first+(uintptr(md)-s.base)/s.size] == 0 {
			return holder{kind: C.GL_HOLDER_CODE, at: uintptr(md)}, true
		}
	}
	return holder{}, false
}

// forgetTypes takes types that go out of the spans of large objects, which Go 1.22 and 1.23 read once more when they sweep
// a dead object: in spans without pointers too, where it is what an earlier object has left there. A living object, known
// where all have been looked for, keeps its type: that may stay, and without it the object's pointers aren't followed.
func (t *tracer) forgetTypes(going parts, looked bool) {
	if rt.mspan_large_type < 0 {
		return
	}
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		typ := wordAt(mspan, rt.mspan_large_type)
		if !going.hold(*typ) {
			continue
		}
		s := t.spanOf(*wordAt(mspan, rt.mspan_start))
		isObject := s != nil && s.mspan == mspan && s.count == 1 && !s.noscan
		if !isObject || looked && t.marks[s.first] != markReached {
			*typ = 0
		}
	}
}

func load(p uintptr) uintptr { return *(*uintptr)(unsafe.Add(unsafe.Pointer(nil), p)) }

// findItabs lists the itabs that the runtime made for what goes.
func (t *tracer) findItabs() {
	table := *(*unsafe.Pointer)(rt.itab_table)
	low, high := ^uintptr(0), uintptr(0)
	for _, itab := range unsafe.Slice((*unsafe.Pointer)(unsafe.Add(table, rt.table_entries)), *wordAt(table, rt.table_size)) {
		if itab == nil || t.going.hold(uintptr(itab)) ||
			!t.going.hold(*wordAt(itab, rt.itab_inter)) && !t.going.hold(*wordAt(itab, rt.itab_type)) {
			continue
		}
		t.itabs = append(t.itabs, deadItab{uintptr(itab), *wordAt(itab, rt.itab_inter), *wordAt(itab, rt.itab_type)})
		low, high = min(low, uintptr(itab)), max(high, uintptr(itab)+1)
	}
	if len(t.itabs) > 0 {
		t.around = region{low, high - low}
	}
}

// indexAt reads a field that became narrower in Go 1.22.
func indexAt(mspan unsafe.Pointer, offset C.int32_t) uintptr {
	if rt.mspan_index_size == 2 {
		return uintptr(*(*uint16)(unsafe.Add(mspan, offset)))
	}
	return *wordAt(mspan, offset)
}

func (t *tracer) findSpans() {
	// Who allocates, as is done here, sweeps spans (runtime/mcentral.go, cacheSpan; mheap.go, reclaim), and one that has
	// nothing left may be another one a moment later: sweeping must be over before spans are looked at.
	for sweepOne := funcOf[func() uintptr](&rt.sweep_one); sweepOne() != ^uintptr(0); {
	}
	low, high, objects := ^uintptr(0), uintptr(0), uintptr(0)
	for _, mspan := range *(*[]unsafe.Pointer)(rt.allspans) {
		size := *wordAt(mspan, rt.mspan_elemsize)
		if *(*uint8)(unsafe.Add(mspan, rt.mspan_state)) != uint8(rt.span_in_use) || size == 0 {
			continue
		}
		s := span{
			base: *wordAt(mspan, rt.mspan_start), size: size, count: indexAt(mspan, rt.mspan_nelems), first: objects,
			noscan: *(*uint8)(unsafe.Add(mspan, rt.mspan_class))&1 != 0, mspan: mspan,
		}
		t.spans = append(t.spans, s)
		objects += s.count
		low, high = min(low, s.base), max(high, s.base+*wordAt(mspan, rt.mspan_npages)<<uint(rt.page_shift))
	}
	if len(t.spans) == 0 {
		return
	}
	t.heap = region{low, high - low}
	t.marks = make([]uint8, objects)
	t.pages = make([]uint32, t.heap.size>>uint(rt.page_shift))
	for n := range t.spans {
		first := (t.spans[n].base - low) >> uint(rt.page_shift)
		for i := uintptr(0); i < *wordAt(t.spans[n].mspan, rt.mspan_npages); i++ {
			t.pages[first+i] = uint32(n) + 1
		}
	}
}

// isAllocated is the opposite of runtime.(*mspan).isFree.
func (s *span) isAllocated(i uintptr) bool {
	bits := *pointerAt(s.mspan, rt.mspan_alloc_bits)
	return i < indexAt(s.mspan, rt.mspan_freeindex) || *(*uint8)(unsafe.Add(bits, i/8))>>(i%8)&1 != 0
}

// refers tells whether a word leads into what goes. first: it is one of an object's first, where a closure has its code.
func (t *tracer) refers(w uintptr, first bool) bool {
	if t.around.holds(w) {
		for _, itab := range t.itabs {
			if itab.at == w {
				return true
			}
		}
	}
	if !t.module.holds(w) {
		return false
	}
	for i := range t.going {
		p := (*part)(&t.going[i])
		switch {
		case w < uintptr(p.low) || uintptr(p.high) <= w:
			continue
		case w-uintptr(p.moduledata) < uintptr(rt.moduledata_size):
			return false // the runtime's list of modules
		case w < uintptr(p.rodata):
			return first && isEntry(p.moduledata, w)
		case uintptr(p.strings) <= w && w < uintptr(p.estrings):
			t.constants = true // nothing but bytes: they can stay
			return false
		case t.types && w < uintptr(p.erodata) && !p.isCode(w):
			t.constants = true
			return false
		}
		return true
	}
	return false
}

// isCode tells whether constant data leads to code: an itab does, or a function value.
func (p *part) isCode(w uintptr) bool {
	if uintptr(p.itabs) <= w && w < uintptr(p.eitabs) {
		return true
	}
	code := load(w &^ (word - 1))
	return uintptr(p.text) <= code && code < uintptr(p.rodata) && isEntry(p.moduledata, code)
}

// isEntry tells whether a function starts at an address: moduledata.ftab is sorted.
func isEntry(moduledata unsafe.Pointer, pc uintptr) bool {
	type functab struct{ entryoff, funcoff uint32 }
	table := *(*[]functab)(unsafe.Add(moduledata, rt.moduledata_ftab))
	off := uint32(pc - *wordAt(moduledata, rt.moduledata_text))
	i := sort.Search(len(table), func(i int) bool { return table[i].entryoff >= off })
	return i < len(table)-1 && table[i].entryoff == off
}

func (t *tracer) spanOf(p uintptr) *span {
	if t.heap.holds(p) {
		if n := t.pages[(p-t.heap.low)>>uint(rt.page_shift)]; n != 0 {
			return &t.spans[n-1]
		}
	}
	return nil
}

// reach marks the object that a word leads into, if it does, to be looked through later.
func (t *tracer) reach(w uintptr) {
	s := t.spanOf(w)
	if s == nil {
		return
	}
	i := (w - s.base) / s.size
	if i >= s.count || t.marks[s.first+i] != 0 || !s.isAllocated(i) {
		t.dropped = t.dropped || i < s.count && t.marks[s.first+i] == markDropped
		return
	}
	t.marks[s.first+i] = markReached
	t.queue = append(t.queue, object{s, i})
	if t.reached != nil {
		t.reached = append(t.reached, object{s, i})
	}
}

// keep is told what stayed of modules that went before: what nothing turns out to lead to is given back.
func (t *tracer) keep(kept []C.struct_gl_kept) {
	if t.kept = kept; len(kept) > 0 {
		low := uintptr(kept[0].low)
		t.keptIn = region{low, uintptr(kept[len(kept)-1].high) - low}
	}
}

// noteKept notes that a word leads into what stayed of another module, if it does.
func (t *tracer) noteKept(w uintptr) {
	if !t.keptIn.holds(w) {
		return
	}
	i := sort.Search(len(t.kept), func(i int) bool { return w < uintptr(t.kept[i].high) })
	if w >= uintptr(t.kept[i].low) {
		t.kept[i].is_used = 1
	}
}

// follow looks at a pointer: it marks what that leads to, or finds that it leads into what goes.
func (t *tracer) follow(w uintptr) bool {
	t.noteKept(w)
	if t.module.holds(w) || t.around.holds(w) {
		return t.refers(w, false)
	}
	t.reach(w)
	return false
}

type regions [4]region

func (rs *regions) hold(p uintptr) bool {
	return rs[0].holds(p) || rs[1].holds(p) || rs[2].holds(p) || rs[3].holds(p)
}

// weakVariables are those out of which what goes will be taken: the runtime's first table of itabs, what reflect has made
// at run time, and each module's list of types. Lua's handles are looked at in the end.
func weakVariables() regions {
	rs := regions{{uintptr(rt.itab_table_init), uintptr(rt.table_entries) + *wordAt(rt.itab_table_init, rt.table_size)*word}}
	rs[3] = region{uintptr(unsafe.Pointer(&handles)), unsafe.Sizeof(handles)}
	if rt.reflect_offs != nil {
		rs[1] = region{uintptr(rt.reflect_offs), uintptr(max(rt.reflect_offs_m, rt.reflect_offs_minv)) + word}
	}
	if rt.module_to_typelinks != nil {
		rs[2] = region{uintptr(rt.module_to_typelinks), word}
	}
	return rs
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

// eachPointer calls do for every pointer of a root, and for the types in front of them, until that says that it is done.
func (t *tracer) eachPointer(r root, do func(at, w uintptr) bool) bool {
	for i := uintptr(0); i < r.size/word; i++ {
		if r.mask != nil && *(*uint8)(unsafe.Add(unsafe.Pointer(r.mask), i/8))>>(i%8)&1 == 0 {
			continue
		}
		at := r.low + i*word
		if t.weak.hold(at) {
			continue
		}
		if do(at, load(at)) {
			return true
		}
		if r.mask == nil || i == 0 {
			continue
		}
		if before := at - word; !t.weak.hold(before) && t.isType(load(before)) && do(before, load(before)) {
			return true
		}
	}
	return false
}

// eachIn calls do for every pointer of an object, as the collector finds them, and for the types in front of them, until
// that says that it is done.
func (t *tracer) eachIn(s *span, i uintptr, do func(w uintptr) bool) bool {
	// runtime.typePointers, or before Go 1.22 runtime.heapBits
	type iterator struct{ a, b, c, d uintptr }
	var it iterator
	at, object := uintptr(0), s.base+i*s.size
	front := !s.holdsG(object)
	if rt.type_pointers_of != nil {
		it = funcOf[func(unsafe.Pointer, uintptr) iterator](&rt.type_pointers_of)(s.mspan, object)
	} else {
		it = funcOf[func(addr, size uintptr) iterator](&rt.heap_bits_for)(object, s.size)
	}
	for {
		if rt.type_pointers_of != nil {
			it, at = funcOf[func(iterator, uintptr) (iterator, uintptr)](&rt.next_pointer)(it, object+s.size)
		} else {
			it, at = funcOf[func(iterator) (iterator, uintptr)](&rt.next_pointer)(it)
		}
		if at == 0 {
			return false
		}
		if do(load(at)) || front && at > object && t.isType(load(at-word)) && do(load(at-word)) {
			return true
		}
	}
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
			if t.going.hold(low) {
				continue
			}
			// a bitvector: n, bytedata
			mask := (*uint8)(*pointerAt(md, section.mask+C.int32_t(word)))
			if do(root{region: region{low, high - low}, mask: mask, kind: C.GL_HOLDER_VARIABLE}) {
				return true
			}
		}
	}
	for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
		id := *(*uint64)(unsafe.Add(g, rt.g_goid))
		if id == t.self || isDead(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status)))) {
			continue
		}
		for _, r := range t.stackOf(g, id).roots {
			if do(r) {
				return true
			}
		}
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
	for i := range t.spans {
		next := *pointerAt(t.spans[i].mspan, rt.mspan_specials)
		for ; next != nil; next = *pointerAt(next, rt.special_next) {
			// a finalizer's or cleanup's functions come first behind what all specials have in common
			fn := region{uintptr(next) + uintptr(rt.special_size), word}
			if C.int32_t(*(*uint8)(unsafe.Add(next, rt.special_kind))) == rt.kind_cleanup {
				fn.size *= uintptr(rt.cleanup_funcs)
			}
			if do(root{region: fn, kind: C.GL_HOLDER_FINALIZER}) {
				return true
			}
		}
	}
	return false
}

func (t *tracer) trace() (user holder, found bool) {
	if t.eachRoot(func(r root) bool {
		return t.eachPointer(r, func(at, w uintptr) bool {
			if found = t.follow(w); found {
				user = holder{kind: r.kind, goid: r.goid, at: at, word: w}
			}
			return found
		})
	}) {
		return user, true
	}
	for len(t.queue) > 0 && !found {
		o := t.queue[len(t.queue)-1]
		t.queue = t.queue[:len(t.queue)-1]
		user.word, found = t.lookThrough(o.span, o.i)
		user.kind, user.at, user.size = C.GL_HOLDER_OBJECT, o.span.base+o.i*o.span.size, o.span.size
	}
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
	found = t.eachIn(s, i, func(w uintptr) bool {
		word1 = w
		return t.follow(w)
	})
	return word1, found
}

// rootOf finds out who keeps the object that refers to the module, by way of other objects; the object itself where
// that would lead too far.
func (t *tracer) rootOf(user holder) holder {
	const farthest = 12
	visited := map[uintptr]bool{user.at: true}
	target := region{user.at, user.size}
	for through := 1; through <= farthest; through++ {
		var keeper holder
		if t.eachRoot(func(r root) bool {
			return t.eachPointer(r, func(at, w uintptr) bool {
				keeper = holder{kind: r.kind, at: at, goid: r.goid, word: user.word, through: through}
				return target.holds(w)
			})
		}) {
			return keeper
		}
		next, found := t.keeperOf(target, visited)
		if !found {
			break
		}
		visited[next.low] = true
		target = next
	}
	return user
}

// keeperOf finds a reached object that refers to one in target.
func (t *tracer) keeperOf(target region, visited map[uintptr]bool) (region, bool) {
	for n := range t.spans {
		s := &t.spans[n]
		for i := uintptr(0); i < s.count && !s.noscan; i++ {
			at := s.base + i*s.size
			if t.marks[s.first+i] == 0 || visited[at] {
				continue
			}
			if t.eachIn(s, i, target.holds) {
				return region{at, s.size}, true
			}
		}
	}
	return region{}, false
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

func (ps parts) around() region {
	low, high := ^uintptr(0), uintptr(0)
	for i := range ps {
		low, high = min(low, uintptr(ps[i].low)), max(high, uintptr(ps[i].high))
	}
	return region{low, high - low}
}

// tell writes down who it is, for C to name.
func (h holder) tell(r *C.struct_gl_retired) {
	r.holder = h.kind
	r.holder_at = C.uintptr_t(h.at)
	r.holder_size = C.size_t(h.size)
	r.holder_word = C.uintptr_t(h.word)
	r.holder_through = C.size_t(h.through)
	if h.kind == C.GL_HOLDER_HANDLE {
		r.reason = C.CString("Lua holds a handle of " + h.handle)
	}
	if h.kind == C.GL_HOLDER_STACK {
		trace, _ := tracebackOf(h.goid)
		r.reason = C.CString(fmt.Sprintf("a variable of goroutine %d\n\n%s", h.goid, trace))
	}
}
