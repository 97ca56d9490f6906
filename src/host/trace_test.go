package host

import (
	"testing"
	"unsafe"
)

// A variable is a root of some words, of which some are pointers.
type variable struct {
	words [200]uintptr
	mask  [32]uint8
}

// last has a variable escape to the heap: on the stack it moves when that grows, and its address is kept as a number.
var last *variable

func newVariable() *variable {
	last = new(variable)
	return last
}

func (v *variable) setPointer(i int) { v.mask[i/8] |= 1 << (i % 8) }

func (v *variable) root() root {
	return root{region: region{uintptr(unsafe.Pointer(&v.words)), unsafe.Sizeof(v.words)}, mask: &v.mask[0],
		kind: holderVariable}
}

// found are the words that eachPointer finds, by number.
func (v *variable) found(t *tracer) (found []int) {
	first := uintptr(unsafe.Pointer(&v.words))
	t.eachPointer(v.root(), t.filter(), func(at, w uintptr) bool {
		if w != v.words[(at-first)/word] {
			panic("another word than is there")
		}
		found = append(found, int((at-first)/word))
		return false
	})
	return found
}

// A tracer for what goes, which has one place, and for what it has of types there.
func tracerOf(goes *[1024]byte) (t *tracer, typ uintptr) {
	low := unsafe.Pointer(goes)
	going := make(parts, 1)
	going[0].low, going[0].rodata = low, low
	going[0].high, going[0].erodata = unsafe.Add(low, len(goes)), unsafe.Add(low, len(goes))
	t = &tracer{going: going, module: going.around()}
	t.setWeak([]region{{}})
	return t, (uintptr(low) + 15) &^ 15
}

func is(found []int, wanted ...int) bool {
	if len(found) != len(wanted) {
		return false
	}
	for i := range found {
		if found[i] != wanted[i] {
			return false
		}
	}
	return true
}

func TestPointerIsFoundWhereverItIs(t *testing.T) {
	tr, typ := tracerOf(new([1024]byte))
	for i := range (&variable{}).words {
		v := newVariable()
		v.words[i] = typ
		if found := v.found(tr); len(found) > 0 {
			t.Errorf("word %d, which is no pointer, was found: %v", i, found)
		}
		v.setPointer(i)
		if found := v.found(tr); !is(found, i) {
			t.Errorf("the pointer at %d was not found: %v", i, found)
		}
		v.words[i] = 8
		if found := v.found(tr); len(found) > 0 {
			t.Errorf("the pointer at %d leads elsewhere: %v", i, found)
		}
	}
}

func TestTypeIsFoundInFrontOfAnyPointer(t *testing.T) {
	tr, typ := tracerOf(new([1024]byte))
	for i := 1; i < len((&variable{}).words); i++ {
		v := newVariable()
		v.words[i-1] = typ
		v.setPointer(i)
		if found := v.found(tr); !is(found, i-1) {
			t.Errorf("the type in front of word %d was not found: %v", i, found)
		}
		v.words[i] = typ
		if found := v.found(tr); !is(found, i, i-1) {
			t.Errorf("word %d and the type in front of it were not found: %v", i, found)
		}
	}
}

func TestWeakVariablesAreNotLookedAt(t *testing.T) {
	tr, typ := tracerOf(new([1024]byte))
	v := newVariable()
	for i := range v.words {
		v.words[i] = typ
		v.setPointer(i)
	}
	first := uintptr(unsafe.Pointer(&v.words))
	for i := range v.words {
		for n := 1; n <= 130 && i+n <= len(v.words); n += 43 {
			tr.setWeak([]region{{first + uintptr(i)*word, uintptr(n) * word}, {}})
			if found := v.found(tr); len(found) != len(v.words)-n || i > 0 && found[i-1] != i-1 {
				t.Errorf("%d words from %d on are weak, and found were %v", n, i, found)
			}
		}
	}
}

func TestFilterLetsPassAllThatMatters(t *testing.T) {
	tr, _ := tracerOf(new([1024]byte))
	tr.heap, tr.around, tr.keptIn = region{1 << 40, 4096}, region{1 << 41, 4096}, region{1<<41 + 8192, 4096}
	tr.going[0].variables, tr.going[0].evariables = pointerTo(1<<42), pointerTo(1<<42+4096)
	into := tr.filter()
	for _, r := range [...]region{tr.heap, tr.around, tr.keptIn, tr.going.pages(), tr.going.blocks()} {
		if !into.passes(r.low) || !into.passes(r.low+r.size-1) {
			t.Errorf("what leads to %x does not pass", r)
		}
	}
	for _, w := range [...]uintptr{0, 1 << 39, 1<<40 + 4096, 1 << 43} {
		if into.passes(w) {
			t.Errorf("%x passes", w)
		}
	}
}
