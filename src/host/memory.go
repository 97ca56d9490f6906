package host

/*
#include <sys/mman.h>
*/
import "C"

import "unsafe"

// A pile is a list that grows up to a limit, in memory of C's. What comes beyond the limit is only counted: then the trace
// was for nothing, and is made again with larger piles.
type pile[T any] struct {
	all          []T
	over, wanted uintptr
}

// newPile makes room for n; without memory for that many, for none. It is the kernel's memory, not malloc's: most of it is
// never touched, and what malloc has once had from the kernel it keeps, for each thread anew.
func newPile[T any](n uintptr) (p pile[T], ok bool) {
	var t T
	n = max(n, 1)
	at := C.mmap(nil, C.size_t(n*unsafe.Sizeof(t)), C.PROT_READ|C.PROT_WRITE, C.MAP_PRIVATE|C.MAP_ANONYMOUS, -1, 0)
	if uintptr(at) == ^uintptr(0) { // MAP_FAILED
		return p, false
	}
	p.all = unsafe.Slice((*T)(at), n)[:0]
	return p, true
}

func (p *pile[T]) free() {
	if cap(p.all) > 0 {
		var t T
		C.munmap(unsafe.Pointer(unsafe.SliceData(p.all)), C.size_t(uintptr(cap(p.all))*unsafe.Sizeof(t)))
	}
}

func (p *pile[T]) push(x T) {
	if len(p.all) < cap(p.all) {
		p.all = append(p.all, x)
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

// memory is what a trace takes, of C.
type memory struct {
	spans     pile[span]
	pages     pile[uint32] // of the heap: 1 + number of the page's span
	marks     pile[uint8]  // by object: reached
	queue     pile[object] // reached, but not yet looked through
	itabs     pile[deadItab]
	stay      pile[uintptr] // itabs
	roots     pile[root]    // one goroutine's
	objects   pile[root]    // on its stack, reached by pointers only
	questions pile[C.struct_gl_slot]
	reached   pile[object] // from one of Lua's handles
	drops     pile[int]    // handles to be dropped
}

// A memorySize says for how much of each there is room.
type memorySize struct{ spans, pages, marks, queue, itabs, stay, roots, objects, questions, reached, drops uintptr }

// lastSize is what sufficed for the last trace.
var lastSize = memorySize{spans: 4096, pages: 4096, marks: 1 << 18, queue: 1 << 18, itabs: 256, stay: 2048, roots: 1024,
	objects: 256, questions: 64, reached: 1 << 18, drops: 64}

func newMemory(size memorySize) (m memory, ok bool) {
	oks := [11]bool{}
	m.spans, oks[0] = newPile[span](size.spans)
	m.pages, oks[1] = newPile[uint32](size.pages)
	m.marks, oks[2] = newPile[uint8](size.marks)
	m.queue, oks[3] = newPile[object](size.queue)
	m.itabs, oks[4] = newPile[deadItab](size.itabs)
	m.stay, oks[5] = newPile[uintptr](size.stay)
	m.roots, oks[6] = newPile[root](size.roots)
	m.objects, oks[7] = newPile[root](size.objects)
	m.questions, oks[8] = newPile[C.struct_gl_slot](size.questions)
	m.reached, oks[9] = newPile[object](size.reached)
	m.drops, oks[10] = newPile[int](size.drops)
	for _, each := range oks {
		if !each {
			m.free()
			return memory{}, false
		}
	}
	return m, true
}

func (m *memory) free() {
	m.spans.free()
	m.pages.free()
	m.marks.free()
	m.queue.free()
	m.itabs.free()
	m.stay.free()
	m.roots.free()
	m.objects.free()
	m.questions.free()
	m.reached.free()
	m.drops.free()
}

func (m *memory) isShort() bool {
	return m.spans.isShort() || m.pages.isShort() || m.marks.isShort() || m.queue.isShort() || m.itabs.isShort() ||
		m.stay.isShort() || m.roots.isShort() || m.objects.isShort() || m.questions.isShort() || m.reached.isShort() ||
		m.drops.isShort()
}

// wanted is what the next trace should have room for: twice what this one would have needed, for the world goes on between
// the two, and never less than it had. What is not used takes no memory.
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
		itabs: room(m.itabs.wanted, cap(m.itabs.all)), stay: room(m.stay.wanted, cap(m.stay.all)),
		roots: room(m.roots.wanted, cap(m.roots.all)), objects: room(m.objects.wanted, cap(m.objects.all)),
		questions: room(m.questions.wanted, cap(m.questions.all)), reached: room(m.reached.wanted, cap(m.reached.all)),
		drops: room(m.drops.wanted, cap(m.drops.all)),
	}
}
