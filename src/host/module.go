// Package host is the Go half of goloader: what can only be done from inside the Go runtime. It publishes modules to
// the runtime and retires them, runs their init functions, and carries calls. All else is C.
//
// A host is any Go program built with -buildmode=c-shared that imports this package and "plugin" (which makes the linker
// keep and export every symbol, so that modules can be bound to them).
package host

/*
#include <stdlib.h>
#include "runtime.h"
*/
import "C"

import (
	"bytes"
	"fmt"
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
	walkers[0].text, walkers[0].etext = rt.types_by_string, rt.types_by_string_end
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
func goloader_publish(moduledata unsafe.Pointer, itabs *unsafe.Pointer, nitabs C.size_t) {
	modules.Lock()
	defer modules.Unlock()
	// The list is read without a lock, by the garbage collector and in signal handlers: one store links the module in.
	last := (*uintptr)(rt.lastmoduledatap)
	next := wordAt(*(*unsafe.Pointer)(rt.lastmoduledatap), rt.moduledata_next)
	atomic.StoreUintptr(next, uintptr(moduledata))
	atomic.StoreUintptr(last, uintptr(moduledata))
	funcOf[func()](&rt.modulesinit)()

	add := funcOf[func(unsafe.Pointer)](&rt.itab_add)
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	all := unsafe.Slice(itabs, nitabs)
	lock(rt.itab_lock)
	for _, itab := range all {
		add(itab)
	}
	unlock(rt.itab_lock)
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
		if uintptr(ps[i].low) <= p && p < uintptr(ps[i].high) {
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

// goloader_retire makes the runtime forget a module, unless somebody runs its code or refers to it: then it answers 1 and
// says who. It answers -1 when this runtime can't be stopped.
//
//export goloader_retire
func goloader_retire(r *C.struct_gl_retired) C.int {
	modules.Lock()
	defer modules.Unlock()
	going := parts(unsafe.Slice(r.parts, r.nparts))

	// The goroutine that asks can't be walked like the others: it is running.
	var pcs [512]uintptr
	for skip := 0; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		for _, pc := range pcs[:n] {
			if going.run(pc) {
				r.reason = C.CString("called from its own code, by this goroutine")
				return 1
			}
		}
		if n < len(pcs) {
			break
		}
	}
	unwinder := C.calloc(1, C.size_t(rt.unwinder_size))
	defer C.free(unwinder)

	// What is in a pool, or waits for its finalizer, is gone after a collection or two. What somebody does who is found
	// at it may be done by the time he is asked; but new ones may come for ever.
	collections, waits := 4, 1000
	for {
		runner, user, result := retireModules(r, going, unwinder)
		switch {
		case result == retired:
			return 0
		case result == cantStop:
			return -1
		case result == stillUsed && collections > 0 && user.kind != C.GL_HOLDER_HANDLE:
			collections--
			runtime.GC()
			time.Sleep(time.Millisecond) // finalizers are run by another goroutine
			continue
		case result == stillUsed:
			user.tell(r)
			return 1
		}
		if result == stillRuns {
			trace, isThere := tracebackOf(runner)
			if isThere || waits == 0 {
				r.reason = C.CString(trace)
				return 1
			}
			waits--
		}
		time.Sleep(time.Millisecond)
	}
}

const (
	retired = iota
	stillRuns
	stillUsed
	stillWalks
	cantStop
)

// walkers is what walks over the types of all modules, by lists that it got at its beginning: reflect.typesByString. It
// runs no code of theirs, and must not lose one on the way.
var walkers = make(parts, 1)

func retireModules(r *C.struct_gl_retired, going parts, unwinder unsafe.Pointer) (runner uint64, user holder, result int) {
	restore := purgeTypes(going)
	defer func() {
		if result != retired {
			restore()
		}
	}()
	self := goid()
	names := namesOfMade()
	caches := unsafe.Slice((*[2]unsafe.Pointer)(r.caches), r.ncaches)
	unique := takeUnique(going)
	handles.Lock()
	defer handles.Unlock()
	var dead []deadItab
	ok := withWorldStopped(func() {
		var found bool
		if runner, found = runnerOf(going, self, unwinder); found {
			result = stillRuns
			return
		}
		if _, found = runnerOf(walkers, self, unwinder); found {
			result = stillWalks
			return
		}
		for _, c := range caches {
			*(*uintptr)(c[0]) = uintptr(c[1])
		}
		dropUnique(going)
		t := tracer{types: r.prove == C.GL_PROVE_CODE, self: self, unwinder: unwinder, names: names,
			dropHandles: r.drop_handles != 0}
		t.keep(unsafe.Slice(r.kept, r.nkept))
		if r.prove == C.GL_PROVE_NOTHING {
			dropHandles(handlesOf(going))
			t.findSpans()
		} else {
			if user, found = t.userOf(going); found {
				result = stillUsed
				return
			}
			if t.constants {
				r.constants_stay = 1
			}
			dropHandles(t.drops)
			dead = t.itabs
		}
		for i := range going {
			unlink(going[i].moduledata)
		}
		purgeItabs(going)
		purgePCs()
		t.forgetTypes(going, r.prove != C.GL_PROVE_NOTHING)
	})
	unique.unlock()
	if !ok || result != retired {
		unique.putBack()
	}
	if !ok {
		return 0, holder{}, cantStop
	}
	if result == retired && r.prove == C.GL_PROVE_ALL {
		report(r, dead)
	}
	for i := range going {
		if result == retired {
			forgetTypelinks(going[i].moduledata)
		}
	}
	return runner, user, result
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

// runnerOf finds a goroutine with a frame in code that goes. The world is stopped.
func runnerOf(going parts, self uint64, unwinder unsafe.Pointer) (uint64, bool) {
	initAt := funcOf[func(u unsafe.Pointer, pc, sp, lr uintptr, g unsafe.Pointer, flags uint8)](&rt.unwinder_init)
	next := funcOf[func(u unsafe.Pointer)](&rt.unwinder_next)
	for _, g := range *(*[]unsafe.Pointer)(rt.allgs) {
		id := *(*uint64)(unsafe.Add(g, rt.g_goid))
		if id == self || isDead(atomic.LoadUint32((*uint32)(unsafe.Add(g, rt.g_status)))) {
			continue
		}
		clear(unsafe.Slice((*byte)(unwinder), rt.unwinder_size))
		pc := wordAt(unwinder, rt.unwinder_pc)
		for initAt(unwinder, ^uintptr(0), ^uintptr(0), ^uintptr(0), g, uint8(rt.unwind_silent)); *pc != 0; next(unwinder) {
			if going.run(*pc) {
				return id, true
			}
		}
	}
	return 0, false
}

// unlink takes a module out of the runtime's list. The world is stopped.
func unlink(moduledata unsafe.Pointer) {
	for md := rt.firstmoduledata; md != nil; md = *pointerAt(md, rt.moduledata_next) {
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
	funcOf[func()](&rt.modulesinit)()
}

// purgeItabs drops every itab that mentions a type of the module, static ones and those the runtime made, by filling
// the table anew: entries are found by quadratic probing, a hole would hide those behind it. The world is stopped.
func purgeItabs(going parts) {
	table := *(*unsafe.Pointer)(rt.itab_table)
	size := *wordAt(table, rt.table_size)
	entries := unsafe.Slice((*uintptr)(unsafe.Add(table, rt.table_entries)), size)
	keep := entries[:0:0]
	found := false
	for i := range entries {
		if entries[i] == 0 {
			continue
		}
		itab := *(*unsafe.Pointer)(unsafe.Pointer(&entries[i]))
		if going.hold(entries[i]) || going.hold(*wordAt(itab, rt.itab_inter)) || going.hold(*wordAt(itab, rt.itab_type)) {
			found = true
			continue
		}
		keep = append(keep, entries[i])
	}
	if !found {
		return
	}
	clear(entries)
	for i := range keep {
		itab := *(*unsafe.Pointer)(unsafe.Pointer(&keep[i]))
		h := uintptr(hashOf(*pointerAt(itab, rt.itab_inter))^hashOf(*pointerAt(itab, rt.itab_type))) & (size - 1)
		for step := uintptr(1); entries[h] != 0; step++ {
			h = (h + step) & (size - 1)
		}
		entries[h] = keep[i]
	}
	*wordAt(table, rt.table_count) = uintptr(len(keep))
}

// hashOf is a type's hash; runtime.itabHashFunc joins two by exclusive or.
func hashOf(typ unsafe.Pointer) uint32 {
	return *(*uint32)(unsafe.Add(typ, rt.type_hash))
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

// forgetTypelinks drops what Go 1.27's runtime.moduleTypelinks remembers of a module, by its moduledata's address.
func forgetTypelinks(moduledata unsafe.Pointer) {
	if rt.module_to_typelinks == nil {
		return
	}
	lock := funcOf[func(unsafe.Pointer)](&rt.lock)
	unlock := funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.module_to_typelinks_lock)
	delete(*(*map[unsafe.Pointer][]unsafe.Pointer)(rt.module_to_typelinks), moduledata)
	unlock(rt.module_to_typelinks_lock)
}

// A typeCache is a sync.Map of another package that remembers types, and would hand out a module's types after it went.
type typeCache struct {
	cache *sync.Map
}

var typeCaches []typeCache

// goloader_add_type_cache names such a map, by address.
//
//export goloader_add_type_cache
func goloader_add_type_cache(m unsafe.Pointer) {
	modules.Lock()
	defer modules.Unlock()
	typeCaches = append(typeCaches, typeCache{(*sync.Map)(m)})
}

// A typeMap is a map by reflect.Type, which a mutex guards: a variable, or the value of an atomic.Value that is replaced
// as a whole.
type typeMap struct {
	lock *sync.Mutex
	at   unsafe.Pointer
	typ  reflect.Type // nil: an atomic.Value
}

var typeMaps []typeMap

// goloader_add_type_map names such a map, by the addresses of its mutex, its variable, and its type's descriptor.
//
//export goloader_add_type_map
func goloader_add_type_map(lock, m, typ unsafe.Pointer) {
	modules.Lock()
	defer modules.Unlock()
	c := typeMap{lock: (*sync.Mutex)(lock), at: m}
	if typ != nil {
		c.typ = typeAt(typ)
	}
	typeMaps = append(typeMaps, c)
}

// purge drops the entries that mention what goes; the result puts them back.
func (c typeMap) purge(going parts) (restore func()) {
	var keys, values []reflect.Value
	c.change(func(m reflect.Value) {
		for _, key := range m.MapKeys() {
			if mentions(key, going, 0) {
				keys, values = append(keys, key), append(values, m.MapIndex(key))
				m.SetMapIndex(key, reflect.Value{})
			}
		}
	})
	return func() {
		if len(keys) == 0 {
			return
		}
		c.change(func(m reflect.Value) {
			for i, key := range keys {
				m.SetMapIndex(key, values[i])
			}
		})
	}
}

// change calls do with the map, or with a copy that then replaces it.
func (c typeMap) change(do func(m reflect.Value)) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.typ != nil {
		do(reflect.NewAt(c.typ, c.at).Elem())
		return
	}
	value := (*atomic.Value)(c.at)
	m := reflect.ValueOf(value.Load())
	if !m.IsValid() {
		return
	}
	changed := reflect.MakeMap(m.Type())
	for _, key := range m.MapKeys() {
		changed.SetMapIndex(key, m.MapIndex(key))
	}
	do(changed)
	value.Store(changed.Interface())
}

// purge drops the entries that mention what goes; the result puts them back.
func (c typeCache) purge(going parts) (restore func()) {
	type entry struct{ key, value any }
	var dropped []entry
	c.cache.Range(func(key, value any) bool {
		if mentions(reflect.ValueOf(key), going, 0) || mentions(reflect.ValueOf(value), going, 0) {
			c.cache.Delete(key)
			dropped = append(dropped, entry{key, value})
		}
		return true
	})
	if len(dropped) > 0 {
		// Up to Go 1.23 a deleted key stays in the map's read-only half, until a new key makes it copy that.
		c.cache.Store(new(int), nil)
		c.cache.Range(func(key, value any) bool {
			if _, ours := key.(*int); ours {
				c.cache.Delete(key)
			}
			return true
		})
	}
	return func() {
		for _, e := range dropped {
			c.cache.LoadOrStore(e.key, e.value)
		}
	}
}

// purgeTypes drops from the caches what mentions a type that goes. If it then doesn't go, all that must be put back: a
// type made by reflect lives as long as it is in its cache.
func purgeTypes(going parts) (restore func()) {
	restores := []func(){purgeClasses(going)}
	for _, c := range typeMaps {
		restores = append(restores, c.purge(going))
	}
	for _, c := range typeCaches {
		restores = append(restores, c.purge(going))
	}
	return func() {
		for _, restore := range restores {
			restore()
		}
	}
}

// namesOfMade are the numbers of the names of all types that reflect has made: they are in its caches.
func namesOfMade() map[int32]bool {
	names := map[int32]bool{}
	for _, c := range typeCaches {
		c.cache.Range(func(_, value any) bool {
			addNames(names, reflect.ValueOf(value))
			return true
		})
	}
	return names
}

func addNames(names map[int32]bool, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			addNames(names, v.Elem())
		}
	case reflect.Slice:
		for i := 0; i < v.Len(); i++ {
			addNames(names, v.Index(i))
		}
	case reflect.Pointer:
		if isDescriptor(v.Type()) && !v.IsNil() {
			names[*(*int32)(unsafe.Add(v.UnsafePointer(), rt.type_str))] = true
		}
	}
}

// mentions looks for a pointer to what goes in a key or value of a type cache: types, structs and slices of types.
func mentions(v reflect.Value, going parts, depth int) bool {
	if depth > 4 {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.UnsafePointer:
		if going.hold(v.Pointer()) {
			return true
		}
		if isDescriptor(v.Type()) && !v.IsNil() {
			return typeMentions(typeAt(v.UnsafePointer()), going)
		}
		if v.Kind() == reflect.Pointer && !v.IsNil() && depth < 3 {
			switch v.Elem().Kind() {
			case reflect.Struct, reflect.Slice:
				return mentions(v.Elem(), going, depth+1)
			}
		}
	case reflect.Interface:
		return !v.IsNil() && mentions(v.Elem(), going, depth)
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if mentions(v.Field(i), going, depth+1) {
				return true
			}
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && i < 64; i++ {
			if mentions(v.Index(i), going, depth+1) {
				return true
			}
		}
	}
	return false
}

// isDescriptor tells whether a type is that of pointers to types: *reflect.rtype, *abi.FuncType.
func isDescriptor(t reflect.Type) bool {
	name := t.String()
	return (strings.HasPrefix(name, "*reflect.") || strings.HasPrefix(name, "*abi.")) && strings.HasSuffix(name, "ype")
}

// typeMentions tells whether a type is, or is built from, one that goes. A named type is where its package is.
func typeMentions(t reflect.Type, going parts) bool {
	if going.hold(uintptr(descriptor(t))) {
		return true
	}
	if t.Name() != "" {
		return false
	}
	switch t.Kind() {
	case reflect.Array, reflect.Chan, reflect.Pointer, reflect.Slice:
		return typeMentions(t.Elem(), going)
	case reflect.Map:
		return typeMentions(t.Key(), going) || typeMentions(t.Elem(), going)
	case reflect.Func:
		for i := 0; i < t.NumIn(); i++ {
			if typeMentions(t.In(i), going) {
				return true
			}
		}
		for i := 0; i < t.NumOut(); i++ {
			if typeMentions(t.Out(i), going) {
				return true
			}
		}
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if typeMentions(t.Field(i).Type, going) {
				return true
			}
		}
	}
	return false
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
