package host

import (
	"reflect"
	"strconv"
	"strings"
)

// What tostring says of a handle. fmt would print all there is, and would not come back from a slice that holds itself.

const (
	textLength = 200 // bytes, from which on nothing is added
	textDepth  = 4
)

func (h *held) text() string {
	v := h.as(stringerType)
	if !v.IsValid() {
		v = h.as(errorType)
	}
	if v.IsValid() && !(v.Kind() == reflect.Interface && v.IsNil()) {
		var text string
		if v.Type().Implements(errorType) {
			text = asError(v).Error()
		} else {
			var s interface{ String() string }
			reflect.ValueOf(&s).Elem().Set(v)
			text = s.String()
		}
		return text
	}
	var b strings.Builder
	b.WriteString(h.name())
	b.WriteString(": ")
	if h.class.isPointer {
		b.WriteByte('&')
	}
	describe(&b, value(h.class.typ, h.p), 0)
	return b.String()
}

// describe is %+v, to a certain length and depth. No address may be left in an object, as fmt would leave it: that of
// code is what a closure looks like.
func describe(b *strings.Builder, v reflect.Value, depth int) {
	if b.Len() > textLength || depth > textDepth {
		b.WriteString("…")
		return
	}
	list := func(open, close string, n int, each func(i int)) {
		b.WriteString(open)
		for i := 0; i < n; i++ {
			if i > 0 {
				b.WriteByte(' ')
			}
			if b.Len() > textLength {
				b.WriteString("…")
				break
			}
			each(i)
		}
		b.WriteString(close)
	}
	switch v.Kind() {
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits()))
	case reflect.Complex64, reflect.Complex128:
		b.WriteString(strconv.FormatComplex(v.Complex(), 'g', -1, v.Type().Bits()))
	case reflect.String:
		if s := v.String(); len(s) > textLength {
			b.WriteString(s[:textLength] + "…")
		} else {
			b.WriteString(s)
		}
	case reflect.Slice, reflect.Array:
		list("[", "]", v.Len(), func(i int) { describe(b, v.Index(i), depth+1) })
	case reflect.Struct:
		list("{", "}", v.NumField(), func(i int) {
			b.WriteString(v.Type().Field(i).Name + ":")
			describe(b, v.Field(i), depth+1)
		})
	case reflect.Map:
		iter := v.MapRange()
		list("map[", "]", v.Len(), func(int) {
			if iter.Next() {
				describe(b, iter.Key(), depth+1)
				b.WriteByte(':')
				describe(b, iter.Value(), depth+1)
			}
		})
	case reflect.Interface:
		if v.IsNil() {
			b.WriteString("<nil>")
		} else {
			describe(b, v.Elem(), depth)
		}
	default: // what has an address
		if v.Pointer() == 0 {
			b.WriteString("<nil>")
		} else {
			b.WriteString("0x" + strconv.FormatUint(uint64(v.Pointer()), 16))
		}
	}
}
