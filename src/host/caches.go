package host

/*
#include "runtime.h"
*/
import "C"

import (
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Packages remember types for ever: reflect those that it has made, encoding/json how to write one, unique its values.
// What they remember of a module's types goes with the module, and is no reason for it to stay.
//
// An entry must not be taken out before it is known that the module goes. A goroutine that asks reflect meanwhile for a
// type which was taken out would get a second one, and two descriptors of one type are two types. So the caches are
// looked at when all else has been traced, with the world still stopped: an entry that leads into what goes is noted,
// and what it alone leads to as well. When nothing else refers to the module nobody can ask for those entries any more,
// and they are taken out with the world running again.

// caches are what is known of them for one unload.
type caches struct {
	going   parts
	weak    []region // the caches' variables, which are followed in no other way
	kept    []cached // in caches that can't change while the world is stopped: what stays
	unlocks []func() // lets them change again
	retired bool     // the module has gone
	drops   []func() // what takes the entries out that go
	names   []int32  // of types that reflect has made, and which go

	maps []typeCache
	used bool // somebody has used classes or plans that go, since an earlier openCaches

	uniqueGone []uniqueEntry
	unique     func(func(typ unsafe.Pointer, m any) bool)

	// what is called with the world stopped is made before
	each       func(key, value any) bool
	eachUnique func(typ unsafe.Pointer, m any) bool
	t          *tracer
	at         *sync.Map
	user       holder
	found      bool
}

// A goneEntry is an entry of a map that goes: the map, and the words of the interfaces that its key and its value are.
type goneEntry struct {
	m          uintptr
	key, value [2]uintptr
}

// A use notes that something has been used since it was last asked about. Only the first use writes to it: threads
// that note one after another only read, and don't take the cache line from each other.
type use struct{ atomic.Bool }

func (u *use) note() {
	if !u.Load() {
		u.Store(true)
	}
}

type uniqueEntry struct {
	typ unsafe.Pointer
	m   any
}

// A cached is a word in a cache that stays.
type cached struct{ at, w uintptr }

// words are an interface's two.
func words(x *any) [2]uintptr { return *(*[2]uintptr)(unsafe.Pointer(x)) }

// openCaches prepares for what follow does with the world stopped.
func openCaches(going parts) *caches {
	c := &caches{going: going}
	c.openClasses()
	for _, m := range typeMaps {
		c.openTypeMap(m)
	}
	for _, cache := range typeCaches {
		c.settle(cache.m)
		c.weak = append(c.weak, region{uintptr(unsafe.Pointer(cache.m)), unsafe.Sizeof(*cache.m)})
		c.maps = append(c.maps, cache)
	}
	c.openUnique()
	c.each = func(key, value any) bool {
		k, v := words(&key), words(&value)
		if c.t.leadsOut(k[0], k[1], v[0], v[1]) {
			c.t.gone.push(goneEntry{uintptr(unsafe.Pointer(c.at)), k, v})
		}
		return true
	}
	c.eachUnique = func(typ unsafe.Pointer, m any) bool {
		for i := range c.uniqueGone {
			if c.uniqueGone[i].typ == typ {
				return true
			}
		}
		c.found = c.follow1(uintptr(uniqueMap()), uintptr(typ)) || c.follow1(uintptr(uniqueMap()), words(&m)[1])
		return !c.found
	}
	return c
}

// follow follows what is in the caches, and notes what goes. The world is stopped.
func (c *caches) follow(t *tracer) (user holder, found bool) {
	c.t = t
	for _, k := range c.kept {
		if c.follow1(k.at, k.w) {
			return c.user, true
		}
	}
	if c.found = false; c.unique != nil {
		c.unique(c.eachUnique)
	}
	if c.found {
		return c.user, true
	}
	for i := range c.maps {
		c.at = c.maps[i].m
		c.at.Range(c.each)
	}
	return holder{}, false
}

func (c *caches) follow1(at, w uintptr) bool {
	if c.t.follow(w) {
		c.user = holder{kind: C.GL_HOLDER_VARIABLE, at: at, word: w}
		return true
	}
	var found bool
	c.user, found = c.t.drain()
	return found
}

// unlock lets the caches change again.
func (c *caches) unlock() {
	for i := len(c.unlocks) - 1; i >= 0; i-- {
		c.unlocks[i]()
	}
	c.unlocks = nil
}

// drop takes what goes out of the caches. Which entries of the maps go was noted in gone, with the world stopped,
// perhaps in a copy of the process. They are still there, since nothing else deletes entries; but where the value is
// a list of types, reflect may have stored a longer one since, so lists are looked at again.
func (c *caches) drop(gone []goneEntry) {
	for _, drop := range c.drops {
		drop()
	}
	of := map[uintptr]map[goneEntry]bool{}
	for _, e := range gone {
		if of[e.m] == nil {
			of[e.m] = map[goneEntry]bool{}
		}
		of[e.m][e] = true
	}
	for _, cache := range c.maps {
		if noted := of[uintptr(unsafe.Pointer(cache.m))]; noted != nil {
			c.dropFrom(cache, noted)
		}
	}
}

// dropFrom takes what goes out of one map. Behind its lock nobody adds a type to a list while it is made shorter.
func (c *caches) dropFrom(cache typeCache, noted map[goneEntry]bool) {
	m := cache.m
	if cache.lock != nil {
		cache.lock.Lock()
		defer cache.lock.Unlock()
	}
	m.Range(func(key, value any) bool {
		v := reflect.ValueOf(value)
		if !noted[goneEntry{uintptr(unsafe.Pointer(m)), words(&key), words(&value)}] &&
			(v.Kind() != reflect.Slice || !mentions(v, c.going, 0)) {
			return true
		}
		rest, going := c.split(v)
		c.addNames(going)
		if rest != nil {
			m.Store(key, rest)
		} else {
			m.Delete(key)
		}
		return true
	})
	forgetDeleted(m)
}

// split splits a list of types into those that stay, nil if there are none, and those that go. reflect keeps lists by
// the types' hash, and types of several modules may have the same: those of two versions of one module do. A value
// that is no list of several types goes as a whole.
func (c *caches) split(v reflect.Value) (rest any, going reflect.Value) {
	if v.Kind() != reflect.Slice || v.Len() < 2 {
		return nil, v
	}
	stay := reflect.MakeSlice(v.Type(), 0, v.Len())
	going = reflect.MakeSlice(v.Type(), 0, v.Len())
	for i := 0; i < v.Len(); i++ {
		if e := v.Index(i); mentions(e, c.going, 0) {
			going = reflect.Append(going, e)
		} else {
			stay = reflect.Append(stay, e)
		}
	}
	if stay.Len() == 0 {
		return nil, going
	}
	return stay.Interface(), going
}

// forgetDeleted has a map forget deleted keys: up to Go 1.23 one stays in the half that is only read, until a new key
// makes the map copy that.
func forgetDeleted(m *sync.Map) {
	m.Store(new(int), nil)
	m.Range(func(key, value any) bool {
		if _, ours := key.(*int); ours {
			m.Delete(key)
		}
		return true
	})
}

func (c *caches) keep(at unsafe.Pointer, w unsafe.Pointer) {
	c.kept = append(c.kept, cached{uintptr(at), uintptr(w)})
}

// ---- the host's own ---------------------------------------------------------------------------------------------

// openClasses has the classes and plans that mention what goes be forgotten with it.
func (c *caches) openClasses() {
	classes.Lock()
	plans.Lock()
	c.unlocks = append(c.unlocks, func() {
		plans.Unlock()
		classes.Unlock()
	})
	c.weak = append(c.weak, region{uintptr(unsafe.Pointer(&classes)), unsafe.Sizeof(classes)},
		region{uintptr(unsafe.Pointer(&plans)), unsafe.Sizeof(plans)})
	var gone []*class
	for t, class := range classes.byType {
		if typeMentions(t, c.going) {
			gone = append(gone, class)
			c.used = class.used.Swap(false) || c.used
		} else {
			c.keep(unsafe.Pointer(&classes), unsafe.Pointer(class))
		}
	}
	var dropped []int
	for i, p := range plans.all {
		if p != nil && p.borrowed && p.mentions(c.going) {
			dropped = append(dropped, i)
			c.used = p.used.Swap(false) || c.used
		} else {
			c.keep(unsafe.Pointer(&plans), unsafe.Pointer(p))
		}
	}
	c.drops = append(c.drops, func() {
		classes.Lock()
		for _, class := range gone {
			delete(classes.byType, class.self)
			delete(classes.byID, class.id)
		}
		classes.Unlock()
		plans.Lock()
		for _, i := range dropped {
			if plans.all[i] != nil {
				plans.all[i] = gonePlan
			}
		}
		plans.Unlock()
	})
}

// ---- maps behind a lock -----------------------------------------------------------------------------------------

// A typeMap is a map by reflect.Type, which a mutex guards: a variable, or the value of an atomic.Value that is
// replaced as a whole.
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

func (m typeMap) load() reflect.Value {
	if m.typ != nil {
		return reflect.NewAt(m.typ, m.at).Elem()
	}
	return reflect.ValueOf((*atomic.Value)(m.at).Load())
}

func (c *caches) openTypeMap(m typeMap) {
	size := unsafe.Sizeof(atomic.Value{})
	if m.typ != nil {
		size = word
	}
	for _, other := range typeMaps { // two may have one lock
		if other.lock == m.lock {
			if other.at == m.at {
				m.lock.Lock()
				c.unlocks = append(c.unlocks, m.lock.Unlock)
			}
			break
		}
	}
	c.weak = append(c.weak, region{uintptr(m.at), size})
	all := m.load()
	if !all.IsValid() {
		return
	}
	var gone []reflect.Value
	for _, key := range all.MapKeys() {
		value := all.MapIndex(key)
		if mentions(key, c.going, 0) || mentions(value, c.going, 0) {
			gone = append(gone, key)
			continue
		}
		for _, v := range [...]reflect.Value{key, value} {
			x := v.Interface()
			w := words(&x)
			c.kept = append(c.kept, cached{uintptr(m.at), w[0]}, cached{uintptr(m.at), w[1]})
		}
	}
	if len(gone) > 0 {
		c.drops = append(c.drops, func() { m.drop(gone) })
	}
}

// drop takes entries out of the map, or of a copy that then replaces it.
func (m typeMap) drop(keys []reflect.Value) {
	m.lock.Lock()
	defer m.lock.Unlock()
	all := m.load()
	if m.typ == nil {
		changed := reflect.MakeMap(all.Type())
		for _, key := range all.MapKeys() {
			changed.SetMapIndex(key, all.MapIndex(key))
		}
		all = changed
	}
	for _, key := range keys {
		all.SetMapIndex(key, reflect.Value{})
	}
	if m.typ == nil {
		(*atomic.Value)(m.at).Store(all.Interface())
	}
}

// ---- sync.Maps --------------------------------------------------------------------------------------------------

// A typeCache is a sync.Map of another package that remembers types, and the lock that its entries are changed behind,
// if there is one.
type typeCache struct {
	m    *sync.Map
	lock *sync.Mutex
}

var typeCaches []typeCache

// goloader_add_type_cache names one: a variable that is such a map, or a struct with the lock and the map, which lies
// at the offset (reflect/type.go, funcLookupCache and structLookupCache).
//
//export goloader_add_type_cache
func goloader_add_type_cache(variable unsafe.Pointer, offset C.size_t) {
	modules.Lock()
	defer modules.Unlock()
	cache := typeCache{m: (*sync.Map)(unsafe.Add(variable, offset))}
	if uintptr(offset) == unsafe.Sizeof(*cache.lock) {
		cache.lock = (*sync.Mutex)(variable)
	}
	typeCaches = append(typeCaches, cache)
}

// settle sees to it that to range over a map takes no lock, which a goroutine that is stopped may hold. Since Go 1.24
// it takes none. Before, a map has a half that is only read, and new keys go to the other one, behind a lock: that must
// be empty, and the lock be held so that it stays so (sync/map.go, readOnly.amended).
func (c *caches) settle(m *sync.Map) {
	mu, isOld := reflect.TypeOf(m).Elem().FieldByName("mu")
	read, hasRead := reflect.TypeOf(m).Elem().FieldByName("read")
	if !isOld || !hasRead {
		return
	}
	type readOnly struct {
		m       map[any]unsafe.Pointer
		amended bool
	}
	lock := (*sync.Mutex)(unsafe.Add(unsafe.Pointer(m), mu.Offset))
	half := (*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(m), read.Offset))
	for {
		m.Range(func(_, _ any) bool { return false })
		lock.Lock()
		if r := (*readOnly)(atomic.LoadPointer(half)); r == nil || !r.amended {
			break
		}
		lock.Unlock()
	}
	c.unlocks = append(c.unlocks, lock.Unlock)
}

// addNames notes the numbers of the names of types that reflect has made and which are in a cache's value.
func (c *caches) addNames(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			c.addNames(v.Elem())
		}
	case reflect.Slice:
		for i := 0; i < v.Len(); i++ {
			c.addNames(v.Index(i))
		}
	case reflect.Struct: // reflect.layoutType has a type that nobody else has; others may have what stays, further down
		for i := 0; i < v.NumField(); i++ {
			if f := v.Field(i); f.Kind() == reflect.Pointer {
				c.addNames(f)
			}
		}
	case reflect.Pointer:
		if isDescriptor(v.Type()) && !v.IsNil() {
			c.names = append(c.names, *(*int32)(unsafe.Add(v.UnsafePointer(), rt.type_str)))
		}
	}
}

// ---- what mentions what goes ------------------------------------------------------------------------------------

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
