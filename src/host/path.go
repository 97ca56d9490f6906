package host

/*
#include <stdlib.h>
#include "runtime.h"

static const char *symbol_at(struct gl_retired *r, uintptr_t addr, uintptr_t *offset)
{
	return r->symbol(r->symbols, addr, offset);
}

static uintptr_t variable_type(struct gl_retired *r, uintptr_t addr, uintptr_t *offset)
{
	return r->variable_type(r->symbols, addr, offset);
}
*/
import "C"

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"unsafe"
)

// Who is told that a module can't go wants to know what to change: not only which variable leads there in the end, but
// by way of what. So where a refusal is about to be told the trace is made once more, and notes of each object by which
// one it was reached first. It looks through objects in the order in which they were reached, so the way that it finds
// back from the reference is one of the shortest that there are.
//
// The way is noted where the trace is made, with the world stopped or in a copy of the process, as addresses and words.
// What these are is said with the world running again. The runtime does not know the types of variables and of what is
// in a frame, and of objects it knows those of large ones only: all above 512 bytes, since Go 1.22. Others are known by
// what leads to them: an interface has the type beside the pointer, and where an object's type is known so are the
// types of what its fields point to. A closure is known by its code. Of what else there is the size is said, and no
// more.

// A hop is an object on the way.
type hop struct {
	at, size uintptr
	word     uintptr // where in it the pointer is that leads on; 0: its type is what is referred to
	leads    uintptr // that pointer
	front    uintptr // the word in front of it, if that is no pointer: an interface's type or itab, perhaps
	typ      uintptr // the type of the object, or of the elements of an array that it is; 0: the runtime has none
	data     uintptr // where what has the type begins
	first    uintptr // the object's first word
}

// So many hops are told of a longer way: one half from each end.
const mostHops = 512

// numberOf is an object's number over all spans.
func (t *tracer) numberOf(at uintptr) uintptr {
	s := t.spanOf(at)
	return s.first + s.indexOf(at)
}

func (t *tracer) objectOf(number uintptr) (s *span, i uintptr) {
	n := sort.Search(len(t.spans.all), func(n int) bool { return t.spans.all[n].first > number }) - 1
	s = &t.spans.all[n]
	return s, number - s.first
}

// noteParent notes by way of what an object was reached.
func (t *tracer) noteParent(number uintptr) {
	if number < uintptr(len(t.parents.all)) {
		t.parents.all[number] = t.from
	}
}

// findPath notes the way from who keeps it to an object that refers to the module, and returns who that is; the object
// itself where nobody is found.
func (t *tracer) findPath(user holder) holder {
	if len(t.parents.all) == 0 {
		return user
	}
	last := t.numberOf(user.at)
	length := 1
	for n := t.parents.all[last]; n != 0; n = t.parents.all[n-1] {
		length++
	}
	child, found := region{}, user
	for n, k := last, 0; k < length; k++ {
		s, i := t.objectOf(n)
		here := region{s.base + i*s.size, s.size}
		kind, goid := roleOf(here)
		if k > 0 && kind != C.GL_HOLDER_OBJECT {
			found = holder{kind: kind, at: here.low, goid: goid, through: k}
			length = k
			break
		}
		if k < mostHops/2 || k >= length-mostHops/2 {
			t.hops.push(t.hopAt(s, i, func(w uintptr) bool { return k == 0 && w == user.word || child.holds(w) }))
		}
		child = here
		if k == length-1 {
			found.through = k
			t.keeperOf(child, &found)
		} else {
			n = uintptr(t.parents.all[n]) - 1
		}
	}
	found.word, found.omitted = user.word, max(length-len(t.hops.all), 0)
	return found
}

// keeperOf finds the root that leads to target, an object which was reached from no other one: the first on the way
// to the reference, which goes on through user.through others.
func (t *tracer) keeperOf(target region, user *holder) (found bool) {
	through := user.through + 1
	if t.eachRoot(func(r root) bool {
		return t.eachPointer(r, &filter{t.heap}, func(at, w uintptr) bool {
			if found = target.holds(w); found {
				*user = holder{kind: r.kind, at: at, goid: r.goid, pc: r.pc, typ: r.typ, leads: w, through: through}
				if r.kind == C.GL_HOLDER_VARIABLE && at > r.low {
					user.before, user.isAlone = load(at-word), isPointer(r.mask, (at-r.low)/word-1)
				}
			}
			return found
		})
	}) {
		return true
	}
	for _, k := range t.caches.kept {
		if target.holds(k.w) {
			*user = holder{kind: C.GL_HOLDER_VARIABLE, at: k.at, leads: k.w, through: through}
			return true
		}
	}
	s, i := t.objectOf(t.numberOf(target.low))
	for note := *pointerAt(s.mspan, rt.mspan_specials); note != nil; note = *pointerAt(note, rt.special_next) {
		kind := int64(*(*uint8)(unsafe.Add(note, rt.special_kind)))
		if kind == int64(rt.kind_finalizer) && offsetOf(note)/s.size == i {
			*user = holder{kind: C.GL_HOLDER_FINALIZED, at: target.low, typ: specialRoot(note).typ,
				through: through - 1}
			return true
		}
	}
	return false
}

// hopAt is an object, and the first of its words of which a condition holds, in the order in which lookThrough looks at
// them.
func (t *tracer) hopAt(s *span, i uintptr, is func(w uintptr) bool) hop {
	object := s.base + i*s.size
	st := hop{at: object, size: s.size, data: object, first: load(object)}
	isLarge := *(*uint8)(unsafe.Add(s.mspan, rt.mspan_class))>>1 == 0
	switch {
	case s.noscan:
	case rt.mspan_large_type >= 0 && isLarge:
		st.typ = *wordAt(s.mspan, rt.mspan_large_type)
	case rt.header_min >= 0 && s.size > uintptr(rt.header_min) && !isLarge:
		st.typ, st.data = st.first, object+word
	}
	if st.typ != 0 && is(st.typ) {
		return st // its type
	}
	if is(st.first) && t.module.holds(st.first) {
		st.word, st.leads = object, st.first // a closure's code, which is no pointer
		return st
	}
	if s.noscan {
		return st
	}
	front := !s.holdsG(object)
	it := s.pointersOf(object)
	for last := uintptr(0); ; {
		at := it.next(object + s.size)
		if at == 0 {
			return st
		}
		before := uintptr(0)
		if front && at > object && at-word != last {
			before = load(at - word)
		}
		if w := load(at); is(w) {
			st.word, st.leads, st.front = at, w, before
			return st
		}
		if before != 0 && t.isType(before) && is(before) {
			st.word, st.leads = at-word, before
			return st
		}
		last = at
	}
}

// ---- what the hops are, with the world running ---------------------------------------------------------------------

// A teller says what was found. Modules can't come or go meanwhile.
type teller struct {
	r *C.struct_gl_retired
	// what is known of what the next pointer leads to
	typ  reflect.Type
	many bool   // it is an array of those
	told string // what can be said where there is no such type
}

// symbol is the symbol that an address is in, and where in it.
func (t *teller) symbol(addr uintptr) (name string, offset uintptr) {
	var at C.uintptr_t
	s := C.symbol_at(t.r, C.uintptr_t(addr), &at)
	if s == nil {
		return "", 0
	}
	return C.GoString(s), uintptr(at)
}

// typeOf is the type whose descriptor a word leads to; nil where it leads to none, or to one that was made at run time
// and may be none any more.
func (t *teller) typeOf(w uintptr) reflect.Type {
	if name, offset := t.symbol(w); offset == 0 && strings.HasPrefix(name, "type:") && !strings.HasPrefix(name, "type:.") {
		return typeAt(pointerTo(w))
	}
	return nil
}

// dynamicType is that of an interface's value, by the interface's first word.
func (t *teller) dynamicType(w uintptr) reflect.Type {
	if w == 0 || w%word != 0 {
		return nil
	}
	if typ := t.typeOf(w); typ != nil {
		return typ
	}
	isItab := false
	lock, unlock := funcOf[func(unsafe.Pointer)](&rt.lock), funcOf[func(unsafe.Pointer)](&rt.unlock)
	lock(rt.itab_lock)
	table := *(*unsafe.Pointer)(rt.itab_table)
	for _, itab := range unsafe.Slice((*uintptr)(unsafe.Add(table, rt.table_entries)), *wordAt(table, rt.table_size)) {
		isItab = isItab || itab == w
	}
	unlock(rt.itab_lock)
	if isItab {
		return t.typeOf(*wordAt(pointerTo(w), rt.itab_type))
	}
	return nil
}

// expect notes what a pointer leads to: the value of an interface, or of a field of a type that is known.
func (t *teller) expect(front uintptr, field reflect.Type) {
	t.typ, t.many, t.told = nil, false, ""
	if field == nil || field.Kind() == reflect.Interface {
		typ := t.dynamicType(front)
		if typ == nil {
			return
		}
		if field = typ; !isPointerShaped(typ) {
			t.typ = typ
			return
		}
	}
	for isPointerShaped(field) {
		switch field.Kind() {
		case reflect.Struct:
			field = field.Field(0).Type
			continue
		case reflect.Array:
			field = field.Elem()
			continue
		}
		break
	}
	switch field.Kind() {
	case reflect.Pointer:
		t.typ = field.Elem()
	case reflect.Slice:
		t.typ, t.many = field.Elem(), true
	case reflect.String:
		t.told = "bytes of a string"
	case reflect.Map, reflect.Chan:
		t.told = "memory of a " + field.String()
	}
}

// isPointerShaped tells of types whose values lie in an interface's second word itself (internal/abi.KindDirectIface).
func isPointerShaped(typ reflect.Type) bool {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Struct:
		return typ.NumField() == 1 && isPointerShaped(typ.Field(0).Type)
	case reflect.Array:
		return typ.Len() == 1 && isPointerShaped(typ.Elem())
	}
	return false
}

// fieldAt is the field of a type that a word is in, as Go writes it, and the field's type.
func fieldAt(typ reflect.Type, offset uintptr) (path string, field reflect.Type) {
	for {
		switch typ.Kind() {
		case reflect.Struct:
			n := typ.NumField()
			i := sort.Search(n, func(i int) bool { return typ.Field(i).Offset > offset }) - 1
			for i > 0 && typ.Field(i).Type.Size() == 0 {
				i--
			}
			if i < 0 || offset-typ.Field(i).Offset >= typ.Field(i).Type.Size() {
				return path, nil
			}
			path += "." + typ.Field(i).Name
			offset -= typ.Field(i).Offset
			typ = typ.Field(i).Type
		case reflect.Array:
			if typ.Elem().Size() == 0 {
				return path, nil
			}
			i := offset / typ.Elem().Size()
			path += fmt.Sprintf("[%d]", i)
			offset -= i * typ.Elem().Size()
			typ = typ.Elem()
		default:
			return path, typ
		}
	}
}

// A toldHop is what is said of an object.
type toldHop struct {
	typ, field string
	hop
}

// short is how a message names it.
func (s *toldHop) short() string {
	const most = 60
	name := s.typ + s.field
	switch {
	case s.typ == "":
		return fmt.Sprintf("%d bytes", s.size)
	case len(name) > most:
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

// tell says what an object is, which the last one, or the root, has led to at an address.
func (t *teller) tell(s hop, leads uintptr) toldHop {
	told := toldHop{hop: s, typ: t.told}
	typ, base, many := t.typ, leads, t.many
	if s.typ != 0 && !isOnHeap(s.typ) {
		typ, base = typeAt(pointerTo(s.typ)), s.data
		many = typ.Size() > 0 && (s.at+s.size-s.data)/typ.Size() > 1
	}
	if typ == nil && told.typ == "" {
		if f := runtime.FuncForPC(s.first); f != nil && f.Entry() == s.first {
			told.typ = "closure of " + f.Name()
		}
	}
	var field reflect.Type
	if typ != nil {
		told.typ = typ.String()
		offset := s.word - base
		switch isInside := s.word >= base && typ.Size() > 0; {
		case isInside && many:
			told.typ = "[]" + told.typ
			path, in := fieldAt(typ, offset%typ.Size())
			told.field, field = fmt.Sprintf("[%d]%s", offset/typ.Size(), path), in
		case isInside && offset < typ.Size():
			told.field, field = fieldAt(typ, offset)
		}
	}
	t.expect(s.front, field)
	return told
}

func isOnHeap(p uintptr) bool {
	return funcOf[func(uintptr) unsafe.Pointer](&rt.span_of_heap)(p) != nil
}

// findNamed goes from a variable that only the compiler has a name for, as the T of `var x = &T{…}` is "pkg..stmp_3", to
// the one that leads there, and so on to one that people know. What lies between is noted as an object on the way.
// Goroutines run meanwhile: where they have changed the pointer, the holder stays what it was.
func (h *holder) findNamed(t *teller, going parts, hops []hop) []hop {
	const most = 8 // they may lead to each other
	for i := 0; i < most; i++ {
		name, offset := t.symbol(h.at)
		if h.omitted > 0 || !strings.Contains(name, "..stmp_") {
			break // what was left out is counted from the middle of the hops
		}
		object := region{h.at - offset, offset + word}
		for other := name; other == name; other, _ = t.symbol(object.low + object.size) {
			object.size += word
		}
		object.size -= word
		between := hop{at: object.low, size: object.size, word: h.at, leads: h.leads, front: h.before,
			data: object.low, first: load(object.low)}
		if h.through == 0 {
			between.leads = h.word
		}
		if !going.eachVariables(func(r root) bool {
			for i := uintptr(0); i < r.size/word; i++ {
				if at := r.low + i*word; isPointer(r.mask, i) && object.holds(load(at)) && !object.holds(at) {
					h.at, h.leads, h.before, h.isAlone = at, load(at), 0, false
					if i > 0 {
						h.before, h.isAlone = load(at-word), isPointer(r.mask, i-1)
					}
					return true
				}
			}
			return false
		}) {
			break
		}
		h.through++
		hops = append(hops, between)
	}
	return hops
}

// tell writes down who it is, for C to name. The module is still there.
func (h holder) tell(r *C.struct_gl_retired, going parts, hops []hop) {
	if h.kind == C.GL_HOLDER_VARIABLE {
		hops = h.findNamed(&teller{r: r}, going, hops)
	}
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

// tellPath writes down the way to the reference, for C: who it begins with, each object, and what is referred to. hops
// are the objects, the last first.
func (h *holder) tellPath(r *C.struct_gl_retired, hops []hop) {
	t := teller{r: r}
	leads := h.leads
	if h.kind == C.GL_HOLDER_VARIABLE {
		field, front := h.tellVariable(r), h.before
		if field == nil && h.isAlone {
			front = 0
		}
		t.expect(front, field)
	}
	told := make([]toldHop, len(hops))
	for i := range hops {
		if h.omitted > 0 && i == mostHops/2 {
			t = teller{r: r} // what lies between was left out
		}
		s := hops[len(hops)-1-i]
		told[i] = t.tell(s, leads)
		leads = s.leads
	}
	r.omitted = C.size_t(h.omitted)
	r.npath = C.size_t(len(told))
	r.path = (*C.struct_gl_step)(C.calloc(r.npath+1, C.size_t(unsafe.Sizeof(*r.path))))
	path := unsafe.Slice(r.path, len(told))
	var names []string
	for i := range told {
		s := &told[i]
		path[i] = C.struct_gl_step{address: C.uintptr_t(s.data), size: C.size_t(s.at + s.size - s.data), offset: -1}
		if s.word >= s.data {
			path[i].offset = C.int64_t(s.word - s.data)
		}
		if s.typ != "" {
			path[i]._type = C.CString(s.typ)
		}
		if s.field != "" {
			path[i].field = C.CString(s.field)
		}
		names = append(names, s.short())
	}
	const most = 6 // a message is to be read
	if len(names) > most {
		names = append(append(names[:most/2:most/2], "…"), names[len(names)-most/2:]...)
	}
	if len(names) > 0 {
		r.way = C.CString(strings.Join(names, ", "))
	}
	r.goroutine = C.uint64_t(h.goid)
	if h.pc != 0 {
		tellPlace(r, h.pc)
	}
	switch {
	case h.typ != nil:
		r.holder_type = C.CString(typeAt(h.typ).String())
	case h.name != "":
		r.holder_type = C.CString(h.name)
	}
}

// tellPlace writes down where a goroutine is.
func tellPlace(r *C.struct_gl_retired, pc uintptr) {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	r.function, r.file, r.line = C.CString(frame.Function), C.CString(frame.File), C.int(frame.Line)
}

// tellVariable writes down a variable's type, if that is known, and which field of it leads on; it returns the field's.
func (h *holder) tellVariable(r *C.struct_gl_retired) reflect.Type {
	var offset C.uintptr_t
	typ := uintptr(C.variable_type(r, C.uintptr_t(h.at), &offset))
	if typ == 0 || isOnHeap(typ) {
		return nil
	}
	variable := typeAt(pointerTo(typ))
	path, field := fieldAt(variable, uintptr(offset))
	r.holder_type = C.CString(variable.String())
	if path != "" {
		r.holder_field = C.CString(path)
	}
	return field
}
