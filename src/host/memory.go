package host

/*
#include <sys/mman.h>
*/
import "C"

import "unsafe"

// A pile is a list that grows up to a limit, in memory of C's. What comes beyond the limit is only counted: then the
// trace was for nothing, and is made again with larger piles.
type pile[T any] struct {
	all          []T
	over, wanted uintptr
}

// carve gives a pile room for n, of the memory that begins at *at; without an address it only counts.
func carve[T any](p *pile[T], at *uintptr, base unsafe.Pointer, n uintptr) {
	const line = 64
	var t T
	if base != nil {
		p.all = unsafe.Slice((*T)(unsafe.Add(base, *at)), n)[:0]
	}
	*at += (n*unsafe.Sizeof(t) + line - 1) &^ (line - 1)
}

func (p *pile[T]) push(x T) {
	if n := len(p.all); n < cap(p.all) {
		p.all = p.all[:n+1]
		p.all[n] = x
		return
	}
	p.over++
	p.need(uintptr(cap(p.all)) + p.over)
}

// need says that there must be room for n.
func (p *pile[T]) need(n uintptr) { p.wanted = max(p.wanted, n) }

// take makes it n long, of zeros.
func (p *pile[T]) take(n uintptr) {
	p.need(n)
	p.all = p.all[:min(n, uintptr(cap(p.all)))]
}

func (p *pile[T]) empty() { p.all = p.all[:0] }

func (p *pile[T]) isShort() bool { return p.wanted > uintptr(cap(p.all)) }

// memory is what a trace takes, of C. What it finds lies in a part of it that a copy of the process shares with the
// process (snapshot.go).
type memory struct {
	base, shared     unsafe.Pointer
	size, sharedSize uintptr
	verdict          *verdict

	spans   pile[span]
	pages   pile[uint32]   // of the heap: 1 + number of the page's span
	marks   pile[uint8]    // by object: reached
	queue   pile[object]   // reached, but not yet looked through
	stay    pile[uintptr]  // itabs
	places  pile[*uintptr] // in the table, of those that go
	roots   pile[root]     // one goroutine's
	objects pile[root]     // on its stack, reached by pointers only
	reached pile[object]   // from one of Lua's handles
	parents pile[uint32]   // by object: 1 + number of the one by way of which it was reached; 0: it was from elsewhere

	// what it finds
	itabs     pile[deadItab]
	questions pile[C.struct_gl_slot]
	drops     pile[drop]             // handles to be dropped
	gone      pile[goneEntry]        // entries of caches that go
	types     pile[unsafe.Pointer]   // spans of which the type is to be forgotten
	cleanups  pile[cleanup]          // that are to do nothing any more
	kept      pile[C.struct_gl_kept] // what stayed of others: is it still in use?
	hops      pile[hop]              // from the reference to who keeps it (path.go)
}

// A memorySize says for how much of each there is room.
type memorySize struct {
	spans, pages, marks, queue, stay, places, roots, objects, reached, parents uintptr
	itabs, questions, drops, gone, types, cleanups, kept, hops                 uintptr
}

// lastSize is what sufficed for the last trace.
var lastSize = memorySize{spans: 4096, pages: 4096, marks: 1 << 18, queue: 1 << 18, stay: 2048, places: 256,
	roots: 1024, objects: 256, reached: 1 << 18,
	itabs: 256, questions: 64, drops: 64, gone: 256, types: 64, cleanups: 64, kept: 64}

// newMemory maps it: what is not used then takes no memory, and nothing of it stays with a thread, as it would with
// malloc.
func newMemory(size memorySize) (m memory, ok bool) {
	m.carve(size)
	if m.base, ok = mapped(m.size, C.MAP_PRIVATE|C.MAP_NORESERVE); !ok {
		return memory{}, false
	}
	if m.shared, ok = mapped(m.sharedSize, C.MAP_SHARED); !ok {
		C.munmap(m.base, C.size_t(m.size))
		return memory{}, false
	}
	m.carve(size)
	m.verdict = (*verdict)(m.shared)
	return m, true
}

func mapped(size uintptr, how C.int) (unsafe.Pointer, bool) {
	p := C.mmap(nil, C.size_t(size), C.PROT_READ|C.PROT_WRITE, C.MAP_ANONYMOUS|how, -1, 0)
	return p, uintptr(p) != ^uintptr(0)
}

func (m *memory) carve(size memorySize) {
	m.size = 0
	carve(&m.spans, &m.size, m.base, size.spans)
	carve(&m.pages, &m.size, m.base, size.pages)
	carve(&m.marks, &m.size, m.base, size.marks)
	carve(&m.queue, &m.size, m.base, size.queue)
	carve(&m.stay, &m.size, m.base, size.stay)
	carve(&m.places, &m.size, m.base, size.places)
	carve(&m.roots, &m.size, m.base, size.roots)
	carve(&m.objects, &m.size, m.base, size.objects)
	carve(&m.reached, &m.size, m.base, size.reached)
	carve(&m.parents, &m.size, m.base, size.parents)
	var v pile[verdict]
	m.sharedSize = 0
	carve(&v, &m.sharedSize, m.shared, 1)
	carve(&m.itabs, &m.sharedSize, m.shared, size.itabs)
	carve(&m.questions, &m.sharedSize, m.shared, size.questions)
	carve(&m.drops, &m.sharedSize, m.shared, size.drops)
	carve(&m.gone, &m.sharedSize, m.shared, size.gone)
	carve(&m.types, &m.sharedSize, m.shared, size.types)
	carve(&m.cleanups, &m.sharedSize, m.shared, size.cleanups)
	carve(&m.kept, &m.sharedSize, m.shared, size.kept)
	carve(&m.hops, &m.sharedSize, m.shared, size.hops)
}

func (m *memory) free() {
	C.munmap(m.base, C.size_t(m.size))
	C.munmap(m.shared, C.size_t(m.sharedSize))
}

func (m *memory) isShort() bool {
	return m.spans.isShort() || m.pages.isShort() || m.marks.isShort() || m.queue.isShort() || m.stay.isShort() ||
		m.places.isShort() || m.roots.isShort() || m.objects.isShort() || m.reached.isShort() || m.itabs.isShort() ||
		m.questions.isShort() ||
		m.drops.isShort() || m.gone.isShort() || m.types.isShort() || m.cleanups.isShort() || m.kept.isShort() ||
		m.parents.isShort() || m.hops.isShort()
}

// wanted is what the next trace should have room for: twice what this one would have needed, for the world goes on
// between the two, and never less than it had. What is not used takes no memory.
func (m *memory) wanted() memorySize {
	room := func(wanted uintptr, had int) uintptr {
		if wanted > uintptr(had) {
			return 2 * wanted
		}
		return uintptr(had)
	}
	return memorySize{
		spans: room(m.spans.wanted, cap(m.spans.all)), pages: room(m.pages.wanted, cap(m.pages.all)),
		marks: room(m.marks.wanted, cap(m.marks.all)), queue: room(m.queue.wanted, cap(m.queue.all)),
		stay: room(m.stay.wanted, cap(m.stay.all)), places: room(m.places.wanted, cap(m.places.all)),
		roots:   room(m.roots.wanted, cap(m.roots.all)),
		objects: room(m.objects.wanted, cap(m.objects.all)), reached: room(m.reached.wanted, cap(m.reached.all)),
		itabs: room(m.itabs.wanted, cap(m.itabs.all)), questions: room(m.questions.wanted, cap(m.questions.all)),
		drops: room(m.drops.wanted, cap(m.drops.all)), gone: room(m.gone.wanted, cap(m.gone.all)),
		types: room(m.types.wanted, cap(m.types.all)), cleanups: room(m.cleanups.wanted, cap(m.cleanups.all)),
		kept: room(m.kept.wanted, cap(m.kept.all)), parents: room(m.parents.wanted, cap(m.parents.all)),
		hops: room(m.hops.wanted, cap(m.hops.all)),
	}
}
