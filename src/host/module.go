// Package host is the Go half of goloader: what can only be done from inside the Go runtime. It publishes modules to
// the runtime and retires them, runs their init functions, and carries calls. All else is C.
//
// A host is any Go program built with -buildmode=c-shared that imports this package and "plugin" (which makes the
// linker keep and export every symbol, so that modules can be bound to them).
package host

/*
#include <stdlib.h>
#include "runtime.h"

static void find_reads(void (*find)(struct gl_slot *, size_t), struct gl_slot *slots, size_t n) { find(slots, n); }
*/
import "C"

import (
	"bytes"
	"fmt"
	"math"
	_ "plugin" // see above
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// rt is set once, by goloader_init.
var rt *C.struct_gl_runtime

// modules serialises what changes the runtime's list of modules.
var modules sync.Mutex

// goloader_protocol tells which C half this Go half works with.
//
//export goloader_protocol
func goloader_protocol() C.uint64_t {
	return C.GL_HOST_PROTOCOL
}

//export goloader_init
func goloader_init(table *C.struct_gl_runtime) {
	rt = table
	walkers = findWalkers()
	makeNobodys()
	watchCrashes()
}

// funcOf makes a Go function of code at an address: a function value is a pointer to a word that holds it.
func funcOf[F any](code *unsafe.Pointer) F {
	p := unsafe.Pointer(code)
	return *(*F)(unsafe.Pointer(&p))
}

func wordAt(base unsafe.Pointer, offset C.int32_t) *uintptr {
	return (*uintptr)(unsafe.Add(base, offset))
}

func pointerAt(base unsafe.Pointer, offset C.int32_t) *unsafe.Pointer {
	return (*unsafe.Pointer)(unsafe.Add(base, offset))
}

// goloader_publish makes the runtime know a module: what runtime.plugin_lastmoduleinit does for a plugin, less what our
// linker has done already (types are bound to the descriptors they are identical to, masks and tables are checked).
//
//export goloader_publish
func goloader_publish(p *C.struct_gl_published) {
	modules.Lock()
	defer modules.Unlock()
	if p.is_listed != 0 {
		link(p.moduledata)
	}
	addTypes(unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(p.types)), p.ntypes))

	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.itab_lock)
	for _, itab := range unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(p.itabs)), p.nitabs) {
		addItab(itab)
	}
	unlock(rt.itab_lock)
}

// link adds a moduledata to the runtime's list, which is read without a lock, by the garbage collector and in signal
// handlers: one store links it in.
func link(moduledata unsafe.Pointer) {
	last := (*uintptr)(rt.lastmoduledatap)
	next := wordAt(*(*unsafe.Pointer)(rt.lastmoduledatap), rt.moduledata_next)
	atomic.StoreUintptr(next, uintptr(moduledata))
	atomic.StoreUintptr(last, uintptr(moduledata))
	addActive(moduledata)
}

// moduleAt is the moduledata of the code at pc, nil when it is nobody's. It allocates nothing.
func moduleAt(pc uintptr) unsafe.Pointer {
	if low := uintptr(rt.arena_low); low <= pc && pc < uintptr(rt.arena_high) {
		const page = 4096
		return pointerTo(*(*uintptr)(unsafe.Add(unsafe.Pointer(rt.owners), (pc-low)/page*word)))
	}
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		if *wordAt(md, rt.moduledata_minpc) <= pc && pc < *wordAt(md, rt.moduledata_etext) {
			return md
		}
	}
	return nil
}

// addActive adds a module to those that the runtime goes through for what they have, as runtime.modulesinit would,
// which goes through the list of all for that. Who reads the slice meanwhile has the one that is shorter.
func addActive(moduledata unsafe.Pointer) {
	if !*(*bool)(unsafe.Add(moduledata, rt.moduledata_bad)) {
		active := append(**(**[]unsafe.Pointer)(rt.modules_slice), moduledata)
		atomic.StorePointer((*unsafe.Pointer)(rt.modules_slice), unsafe.Pointer(&active))
	}
}

// removeActive takes it out again, and tells which module is before it. The world is stopped, but somebody may be in
// the middle of the slice: that stays as it is, and another one takes its place.
func removeActive(moduledata unsafe.Pointer) (before unsafe.Pointer) {
	old := **(**[]unsafe.Pointer)(rt.modules_slice)
	for i := len(old) - 1; i > 0; i-- {
		if old[i] == moduledata {
			before = old[i-1]
			active := make([]unsafe.Pointer, 0, cap(old))
			active = append(append(active, old[:i]...), old[i+1:]...)
			atomic.StorePointer((*unsafe.Pointer)(rt.modules_slice), unsafe.Pointer(&active))
			break
		}
	}
	return before
}

// The results of stopTheWorldGC by size: a struct comes back in registers, one for each field.
type (
	stop2 struct{ a, b uintptr }
	stop3 struct{ a, b, c uintptr }
	stop4 struct{ a, b, c, d uintptr }
	stop5 struct{ a, b, c, d, e uintptr }
)

func stopped[S any](f func()) {
	s := funcOf[func(uintptr) S](&rt.stop_the_world)(0)
	f()
	funcOf[func(S)](&rt.start_the_world)(s)
}

// withWorldStopped runs f while no other goroutine runs and no garbage collection is under way. f must not block.
func withWorldStopped(f func()) bool {
	switch rt.world_stop_size {
	case 0: // Go 1.21
		funcOf[func(uintptr)](&rt.stop_the_world)(0)
		f()
		funcOf[func()](&rt.start_the_world)()
	case 16:
		stopped[stop2](f)
	case 24:
		stopped[stop3](f)
	case 32:
		stopped[stop4](f)
	case 40:
		stopped[stop5](f)
	default:
		return false
	}
	return true
}

// parts are the places in memory that go at once.
type parts []C.struct_gl_part

func (ps parts) hold(p uintptr) bool {
	for i := range ps {
		if uintptr(ps[i].low) <= p && p < uintptr(ps[i].high) ||
			uintptr(ps[i].variables) <= p && p < uintptr(ps[i].evariables) {
			return true
		}
	}
	return false
}

// run tells whether a return address is in their code.
func (ps parts) run(pc uintptr) bool {
	for i := range ps {
		if uintptr(ps[i].text) <= pc && pc <= uintptr(ps[i].etext) {
			return true
		}
	}
	return false
}

// goloader_retire makes the runtime forget a module, unless somebody runs its code or refers to it: then it answers 1
// and says who. It answers -1 when this runtime can't be stopped, -2 when memory is short.
//
// Another goroutine does it, while the one that asks waits: so that this one's stack can be looked at like all others.
// It may be one that Go has called Lua on, and then what lies beneath is in use.
//
//export goloader_retire
func goloader_retire(r *C.struct_gl_retired) C.int {
	answer, asks := make(chan C.int), goid()
	go func() { answer <- retireModules(r, asks) }()
	return <-answer
}

const (
	retired = iota
	stillRuns
	stillUsed
	stillWalks
	cantStop
	noMemory
	again      // the trace was for nothing
	noSnapshot // there is no copy of the process to be had
)

func retireModules(r *C.struct_gl_retired, asks uint64) C.int {
	settleSequences()
	if ranging.Load() > 0 {
		r.ranges = 1
	}
	modules.Lock()
	defer modules.Unlock()
	going := parts(unsafe.Slice(r.parts, r.nparts))
	dropPins(going)
	unwinder := C.calloc(1, C.size_t(rt.unwinder_size))
	defer C.free(unwinder)
	a := attempt{r: r, going: going, self: goid(), unwinder: unwinder}

	// A reference from a sync.Pool, or from an object that waits for its finalizer, is gone after a collection or
	// two. A goroutine that was found in the modules' code may be through by the time that its traceback is taken;
	// since another one may be there each time, that is not tried for ever.
	collections, waits := 4, 1000
	for {
		a.notesPath = collections == 0
		switch result := a.make(); {
		case result == retired:
			return 0
		case result == cantStop:
			return -1
		case result == noMemory:
			return -2
		case result == stillUsed && collections > 0 && a.user.kind != C.GL_HOLDER_HANDLE:
			collections--
			runtime.GC()
			time.Sleep(time.Millisecond) // finalizers are run by another goroutine
			continue
		case result == stillUsed:
			a.user.tell(r, going, a.hops)
			return 1
		case result == stillRuns:
			r.goroutine = C.uint64_t(a.runner.goid)
			if a.runner.goid == asks {
				r.reason = C.CString("called from its own code, by this goroutine")
				return 1
			}
			trace, isThere := tracebackOf(a.runner.goid)
			if isThere && !isRuntimes(a.runner.start) || waits == 0 {
				tellPlace(r, a.runner.pc)
				r.reason = C.CString(trace)
				return 1
			}
			waits--
		}
		time.Sleep(time.Millisecond)
	}
}

// isRuntimes tells whether a goroutine that began with the function at pc is one of the runtime's own
// (runtime.isSystemGoroutine). Those run a module's code only to finalize what a collection has found, one of ours
// perhaps, and go on when that is done.
func isRuntimes(pc uintptr) bool {
	f := runtime.FuncForPC(pc)
	return f != nil && strings.HasPrefix(f.Name(), "runtime.") && f.Name() != "runtime.main"
}

// walkers is the code of functions that go through the types of all modules, by lists that they take at their
// beginning: reflect.FuncOf, reflect.StructOf, and what they call to find types by their text. A goroutine in the
// middle of one runs no code of the modules and has no pointer to them on its stack yet, and would read their types
// once they are unmapped.
var walkers parts

func findWalkers() parts {
	found := make(parts, 1)
	found[0].text, found[0].etext = rt.types_by_string, rt.types_by_string_end
	for _, entry := range [...]uintptr{codeOf(reflect.FuncOf), codeOf(reflect.StructOf)} {
		for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
			text, table := *wordAt(md, rt.moduledata_text), functab(md)
			if i, is := functionAt(md, entry); entry >= text && is && i < len(table)-1 {
				part := C.struct_gl_part{text: pointerTo(entry), etext: pointerTo(text + uintptr(table[i+1].entryoff))}
				found = append(found, part)
				break
			}
		}
	}
	return found
}

// An attempt is one to retire modules.
type attempt struct {
	r        *C.struct_gl_retired
	going    parts
	self     uint64 // this goroutine
	unwinder unsafe.Pointer
	answers  []C.struct_gl_slot // what is known of words in frames
	locked   bool               // nobody is to use what will be dropped while a snapshot is looked through

	runner runner // out: a goroutine that runs their code
	user   holder // out: who refers to them
	hops   []hop  // and by way of what, the last first

	notesPath bool // the way is to be told
}

// make takes the modules out of the runtime, if they may go. Until then nothing has happened.
func (a *attempt) make() (result int) {
	if a.snapshotIsBetter() {
		if result = a.makeBySnapshot(); result != noSnapshot {
			a.r.snapshots++
			return result
		}
		a.r.failed_snapshots++
	}
	a.r.stops++
	return a.makeStopped()
}

// makeStopped does it with the world stopped all the time.
func (a *attempt) makeStopped() (result int) {
	handles.Lock()
	defer handles.Unlock()
	names := nameHandles()
	c := openCaches(a.going)
	var drops []drop
	if a.r.prove == C.GL_PROVE_NOTHING {
		drops = handlesOf(a.going)
	}
	// How much memory the trace takes, and what it must know of functions' code, turns out while the world is stopped. And
	// there are those who walk over the types of all modules most of the time.
	tries := 1000
	var t *tracer
	for result = again; result == again || result == stillWalks && tries > 0; tries-- {
		if result == stillWalks {
			time.Sleep(time.Duration(tries%16) * 10 * time.Microsecond)
		}
		if t != nil {
			t.free()
		}
		if t = a.newTracer(c); t == nil {
			result = noMemory
			break
		}
		assertions := a.assertions()
		if !a.stopWorld(func() {
			sweep(math.MaxInt)
			if result = a.judge(t, assertions); result == retired {
				result = a.commit(t, assertions)
			}
		}) {
			result = cantStop
		}
		if result == again {
			a.learn(t)
		}
	}
	if t != nil {
		defer t.free()
	}
	c.retired = result == retired
	c.unlock()
	if t != nil && a.r.prove == C.GL_PROVE_ALL {
		lastReached = t.count
	}
	switch result {
	case retired:
		a.forget(t, c, append(drops, t.drops.all...), names)
	case stillUsed:
		if a.user.kind == C.GL_HOLDER_HANDLE {
			a.user.name = names[a.user.handle]
		}
		a.hops = append([]hop(nil), t.hops.all...)
	}
	return result
}

func (a *attempt) newTracer(c *caches) *tracer {
	lastSize.kept = max(lastSize.kept, uintptr(a.r.nkept))
	mem, ok := newMemory(lastSize)
	if !ok {
		return nil
	}
	t := &tracer{memory: mem, going: a.going, module: a.going.around(), self: a.self, unwinder: a.unwinder,
		caches: c, answers: a.answers, dropHandles: a.r.drop_handles != 0, notesPath: a.notesPath}
	t.setWeak(append(weakVariables(), c.weak...))
	t.keep(unsafe.Slice(a.r.kept, a.r.nkept))
	return t
}

// assertions are caches of call sites, each with its empty value after it.
func (a *attempt) assertions() [][2]unsafe.Pointer {
	return unsafe.Slice((*[2]unsafe.Pointer)(a.r.caches), a.r.ncaches)
}

func emptyAssertions(assertions [][2]unsafe.Pointer) {
	for _, c := range assertions {
		*(*uintptr)(c[0]) = uintptr(c[1])
	}
}

// judge finds out whether they may go. The world is stopped: nothing is allocated on Go's heap. In a copy of the
// process what is written here stays in the copy, but for what is found: t's piles.
func (a *attempt) judge(t *tracer, assertions [][2]unsafe.Pointer) int {
	var found bool
	if a.runner, found = runnerOf(a.going, a.self, a.unwinder); found {
		return stillRuns
	}
	if _, found = runnerOf(walkers, a.self, a.unwinder); found {
		return stillWalks
	}
	emptyAssertions(assertions)
	t.dropUnique()
	looked := a.r.prove != C.GL_PROVE_NOTHING
	if looked {
		a.user, found = t.userOf()
	} else {
		t.findItabs()
		t.findSpans()
	}
	if !t.isShort() && !found {
		t.findTypes(looked)
	}
	switch {
	case t.isShort():
		return again
	case found:
		return stillUsed
	case len(t.questions.all) > 0:
		return again
	}
	return retired
}

// commit takes them out of the runtime. The world is stopped.
func (a *attempt) commit(t *tracer, assertions [][2]unsafe.Pointer) int {
	if t.stay.need(*wordAt(*(*unsafe.Pointer)(rt.itab_table), rt.table_count)); t.stay.isShort() {
		return again
	}
	emptyAssertions(assertions)
	dropUniqueFuncs(a.going)
	t.forgetTypes()
	for i := range a.going {
		if p := &a.going[i]; p.variables == nil {
			unlink(p.moduledata)
		} else {
			clear(unsafe.Slice((*byte)(p.mask), uintptr(p.emask)-uintptr(p.mask)))
		}
	}
	t.dropTypes()
	t.purgeItabs()
	purgePCs()
	return retired
}

// learn is for the next attempt, when one was for nothing.
func (a *attempt) learn(t *tracer) {
	lastSize = t.wanted()
	a.ask(t.questions.all)
}

// forget takes out of caches and tables what went. c's locks are let go, handles is locked.
func (a *attempt) forget(t *tracer, c *caches, drops []drop, names map[int]string) {
	if t.constants {
		a.r.constants_stay = 1
	}
	copy(unsafe.Slice(a.r.kept, a.r.nkept), t.kept.all)
	if a.r.prove == C.GL_PROVE_ALL {
		report(a.r, t.itabs.all)
	}
	c.drop(t.gone.all)
	dropHandles(drops, names)
	forgetMade(a.going, c.names)
	forgetTypelinks(a.going)
}

// ask has C find the answers to what a trace could not know of words in frames, in the functions' code.
func (a *attempt) ask(questions []C.struct_gl_slot) {
	panicking := make([]bool, len(questions))
	for i := range questions {
		q := &questions[i]
		q.no_return = &rt.no_return[0]
		md := moduleAt(uintptr(q.pc))
		if md == nil {
			continue
		}
		text, table := *wordAt(md, rt.moduledata_text), functab(md)
		if n, _ := functionAt(md, uintptr(q.pc)); n >= 0 && n < len(table)-1 {
			q.entry, q.end = C.uintptr_t(text)+C.uintptr_t(table[n].entryoff), C.uintptr_t(text)+C.uintptr_t(table[n+1].entryoff)
			// Where a function goes on that panics, if that is recovered, the unwinder says one byte too far.
			fn := unsafe.Pointer(&(*(*[]byte)(unsafe.Add(md, rt.moduledata_pclntable)))[table[n].funcoff])
			deferreturn := *(*uint32)(unsafe.Add(fn, rt.func_deferreturn))
			if deferreturn != 0 {
				q.recovers = q.entry + C.uintptr_t(deferreturn)
			}
			panicking[i] = deferreturn != 0 && q.pc == q.entry+C.uintptr_t(deferreturn)+1
			if panicking[i] {
				q.pc--
			}
		}
	}
	if len(questions) > 0 {
		C.find_reads(rt.find_reads, unsafe.SliceData(questions), C.size_t(len(questions)))
		for i := range questions {
			if panicking[i] {
				questions[i].pc++
			}
		}
		a.answers = append(a.answers, questions...)
	}
}

// goloader_gc_count is the number of garbage collections that have ended.
//
//export goloader_gc_count
func goloader_gc_count() C.uint64_t {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	return C.uint64_t(stats.NumGC)
}

// goloader_collect runs a garbage collection to its end.
//
//export goloader_collect
func goloader_collect() {
	runtime.GC()
}

// isDead tells goroutines without a stack worth looking at.
func isDead(status uint32) bool {
	s := C.int32_t(status) &^ rt.status_scan
	return s == rt.status_idle || s == rt.status_dead || s == rt.status_dead_extra
}

// forgetMade takes out of runtime.reflectOffs what goes, and the names of types that went out of reflect's caches: a
// type that reflect has made refers to its name by number.
func forgetMade(going parts, names []int32) {
	if rt.reflect_offs == nil {
		return
	}
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.reflect_offs) // its first field
	made := *reflectMade()
	inverse := *(*map[unsafe.Pointer]int32)(unsafe.Add(rt.reflect_offs, rt.reflect_offs_minv))
	for id, p := range made {
		if going.hold(uintptr(p)) {
			delete(made, id)
			delete(inverse, p)
		}
	}
	for _, id := range names {
		if p, found := made[id]; found {
			delete(made, id)
			delete(inverse, p)
		}
	}
	unlock(rt.reflect_offs)
}

// unlink takes a module out of the runtime's list. The world is stopped.
func unlink(moduledata unsafe.Pointer) {
	md := removeActive(moduledata)
	if md == nil || *pointerAt(md, rt.moduledata_next) != moduledata {
		md = rt.firstmoduledata // a bad one lies between, or the host's main module is not the list's first
	}
	for ; md != nil; md = *pointerAt(md, rt.moduledata_next) {
		next := wordAt(md, rt.moduledata_next)
		if *next != uintptr(moduledata) {
			continue
		}
		after := *wordAt(moduledata, rt.moduledata_next)
		atomic.StoreUintptr(next, after)
		if after == 0 {
			atomic.StoreUintptr((*uintptr)(rt.lastmoduledatap), uintptr(md))
		}
		break
	}
}

// purgePCs empties each thread's cache of pc-value lookups, which is keyed by addresses that another module may get.
// The world is stopped.
func purgePCs() {
	if rt.m_pcvalue_cache < 0 {
		return
	}
	for m := *(*unsafe.Pointer)(rt.allm); m != nil; m = *pointerAt(m, rt.m_next) {
		clear(unsafe.Slice((*byte)(unsafe.Add(m, rt.m_pcvalue_cache)), rt.pcvalue_cache_size))
	}
}

// goid is the number of this goroutine, which only its traceback tells.
func goid() uint64 {
	var buf [64]byte
	var id uint64
	fmt.Sscanf(string(buf[:runtime.Stack(buf[:], false)]), "goroutine %d ", &id)
	return id
}

// tracebackOf is one goroutine's traceback, out of everybody's, if it is still there.
func tracebackOf(id uint64) (trace string, isThere bool) {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	start := []byte(fmt.Sprintf("goroutine %d ", id))
	for _, g := range bytes.Split(buf, []byte("\n\n")) {
		if bytes.HasPrefix(g, start) {
			return string(bytes.TrimSpace(g)), true
		}
	}
	return fmt.Sprintf("goroutine %d, which has left since", id), false
}
