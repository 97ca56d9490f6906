package definitions

import (
	"fmt"
	"go/types"
	"strings"
)

// direction is which way a value goes: Lua may give more than it gets.
type direction int

const (
	result   direction = iota // from Go to Lua
	argument                  // from Lua to Go
)

const handle = "goloader.Handle"

// lua is the type that stands for a Go type.
func (w *writer) lua(t types.Type, dir direction) string {
	t = unalias(t)
	switch t := t.(type) {
	case *types.Basic:
		return basic(t)
	case *types.Named:
		return w.namedValue(t, dir)
	case *types.Pointer:
		return w.pointer(t, dir)
	case *types.Slice:
		if isByte(t.Elem()) {
			return orNil("string", dir)
		}
		return orNil(parenthesized(w.lua(t.Elem(), dir))+"[]", dir)
	case *types.Array:
		return parenthesized(w.lua(t.Elem(), dir)) + "[]"
	case *types.Map:
		if !isKey(t.Key()) {
			return w.either(handle, "table", dir)
		}
		return orNil(fmt.Sprintf("table<%s, %s>", w.lua(t.Key(), dir), w.lua(t.Elem(), dir)), dir)
	case *types.Struct:
		return w.structure(t, dir)
	case *types.Signature:
		return parenthesized(w.fun(t, "")) + "|nil"
	case *types.Chan:
		return "goloader.Channel|nil"
	case *types.Interface:
		if t.NumMethods() == 0 {
			return "any"
		}
		return w.either(handle, "table", dir)
	case *types.TypeParam:
		if w.isGeneric {
			return word(t.Obj().Name())
		}
		return "any"
	}
	return "any"
}

func basic(t *types.Basic) string {
	switch {
	case t.Info()&types.IsBoolean != 0:
		return "boolean"
	case t.Info()&types.IsInteger != 0:
		return "integer"
	case t.Info()&types.IsFloat != 0:
		return "number"
	case t.Info()&types.IsComplex != 0:
		return "number[]"
	case t.Info()&types.IsString != 0:
		return "string"
	case t.Kind() == types.UnsafePointer:
		return handle + "|nil"
	}
	return "any"
}

// orNil: nil may be given for a nil slice or map, which comes back as an empty one.
func orNil(text string, dir direction) string {
	if dir == argument {
		return text + "|nil"
	}
	return text
}

func (w *writer) either(got, given string, dir direction) string {
	if dir == argument {
		return got + "|" + given + "|nil"
	}
	return got + "|nil"
}

func (w *writer) namedValue(t *types.Named, dir direction) string {
	obj := t.Obj()
	if obj.Pkg() == nil { // error, and comparable
		if dir == argument {
			return "goloader.Error|string|table|nil"
		}
		return "goloader.Error|nil"
	}
	switch obj.Pkg().Path() + "." + obj.Name() {
	case "time.Time":
		if dir == argument {
			return "string|number"
		}
		return "string"
	case "time.Duration":
		if dir == argument {
			return "number|string"
		}
		return "integer"
	case "context.Context":
		if dir == argument {
			return "goloader.Context|goloader.Handle|number|string|nil"
		}
		return handle + "|nil"
	}
	name, known := w.classOf(t)
	if types.IsInterface(t) {
		if empty := t.Underlying().(*types.Interface).NumMethods() == 0; empty {
			return "any"
		}
		if !known || dir == argument { // whatever implements it
			return w.either(handle, "table", dir)
		}
		return name + "|nil"
	}
	if s, ok := t.Underlying().(*types.Struct); ok {
		switch {
		case !known && isCopied(t):
			return w.structure(s, dir)
		case !known:
			name = handle
		}
		if dir == argument {
			return name + "|" + handle + "|table"
		}
		return name
	}
	if known && dir == result {
		return name
	}
	if known {
		switch t.Underlying().(type) {
		case *types.Basic:
			return name
		}
		if isTableWithMethods(t) { // Lua's own tables have none
			name += "|" + strings.TrimSuffix(w.lua(t.Underlying(), dir), "|nil")
		}
		return name + "|" + handle + "|nil"
	}
	return w.lua(t.Underlying(), dir)
}

// classOf is the class of a type, if it has one.
func (w *writer) classOf(t *types.Named) (string, bool) {
	obj := t.Obj()
	if obj.Parent() != nil && obj.Parent() != obj.Pkg().Scope() || t.TypeArgs().Len() > 0 {
		return "", false
	}
	if obj.Pkg() == w.pkg && !obj.Exported() {
		if _, ok := t.Underlying().(*types.Basic); ok {
			return "", false
		}
	}
	if _, ok := w.depth[obj]; !ok && w.at > 0 {
		return "", false
	}
	w.want(obj, w.at+1)
	return w.class(obj), true
}

func (w *writer) pointer(t *types.Pointer, dir direction) string {
	elem, ok := unalias(t.Elem()).(*types.Named)
	if !ok {
		if dir == argument {
			return strings.TrimSuffix(w.lua(t.Elem(), dir), "|nil") + "|nil"
		}
		switch t.Elem().Underlying().(type) {
		case *types.Pointer, *types.Chan, *types.Signature, *types.Interface:
			return handle + "|nil"
		}
		return strings.TrimSuffix(w.lua(t.Elem(), dir), "|nil") + "|nil"
	}
	if elem.Obj().Pkg() != nil && elem.Obj().Pkg().Path() == "time" && elem.Obj().Name() == "Time" {
		return w.lua(elem, dir) + "|nil"
	}
	if types.IsInterface(elem) {
		return handle + "|nil"
	}
	name, known := w.classOf(elem)
	if !known {
		if dir == argument {
			return handle + "|table|nil"
		}
		return handle + "|nil"
	}
	if dir == argument {
		return strings.TrimSuffix(w.namedValue(elem, dir), "|nil") + "|nil"
	}
	if isCopied(elem) && !hasMethods(t) {
		return name + "|nil"
	}
	return handleName(elem, name) + "|nil"
}

// structure is a struct that has no name, or none that is known.
func (w *writer) structure(t *types.Struct, dir direction) string {
	if !isCopied(t) {
		return w.either(handle, "table", dir)
	}
	if dir == argument || t.NumFields() == 0 {
		return "table"
	}
	fields := []string{}
	for i := 0; i < t.NumFields(); i++ {
		fields = append(fields, fmt.Sprintf("%s: %s", key(t.Field(i).Name()), w.lua(t.Field(i).Type(), dir)))
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}

type param struct{ name, typ string }

func (w *writer) params(sig *types.Signature) (params []param) {
	used := map[string]bool{"self": sig.Recv() != nil}
	for i := 0; i < sig.Params().Len(); i++ {
		p := sig.Params().At(i)
		name, t := parameter(p.Name(), i, used), p.Type()
		if sig.Variadic() && i == sig.Params().Len()-1 {
			name = "..."
			if s, ok := t.(*types.Slice); ok {
				t = s.Elem()
			}
		}
		params = append(params, param{name, w.lua(t, argument)})
	}
	return params
}

// fun is a function; of a method with its handle's class before the parameters.
func (w *writer) fun(sig *types.Signature, self string) string {
	params := []string{}
	if self != "" {
		params = append(params, "self: "+self)
	}
	for _, p := range w.params(sig) {
		params = append(params, p.name+": "+p.typ)
	}
	results := strings.Join(w.results(sig.Results()), ", ")
	if results != "" {
		results = ": " + results
	}
	return "fun(" + strings.Join(params, ", ") + ")" + results
}

// results: of those that end in an error, the others or nil, and the error. Of others a pointer is taken for one that
// is not nil, as it is in nearly all of Go: a program would have to say so at each of them.
func (w *writer) results(tuple *types.Tuple) []string {
	n := tuple.Len()
	fails := n > 0 && isError(tuple.At(n-1).Type())
	list := []string{}
	for i := 0; i < n; i++ {
		text := w.lua(tuple.At(i).Type(), result)
		if i < n-1 || !fails {
			text = strings.TrimSuffix(text, "|nil")
		}
		if fails && i < n-1 {
			text += "|nil"
		}
		list = append(list, text)
	}
	if fails && n == 1 {
		list = []string{"true|nil", list[0]}
	}
	return list
}

// ---- what decides ---------------------------------------------------------------------------------------------------

func isError(t types.Type) bool {
	named, ok := unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() == nil && named.Obj().Name() == "error"
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

func hasMethods(t types.Type) bool {
	set := types.NewMethodSet(t)
	for i := 0; i < set.Len(); i++ {
		if !isGeneric(set.At(i).Obj()) {
			return true
		}
	}
	return false
}

// isKey: tables have such keys.
func isKey(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Info()&(types.IsBoolean|types.IsInteger|types.IsFloat|types.IsString) != 0
	case *types.Interface:
		return t.NumMethods() == 0
	}
	return false
}

// isCopied: plain data, of which Lua gets a table. A struct with a field that is not exported, its own or of a struct
// in it, stays in Go.
func isCopied(t types.Type) bool {
	if named, ok := unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil &&
		named.Obj().Pkg().Path() == "time" && named.Obj().Name() == "Time" {
		return true
	}
	switch t := t.Underlying().(type) {
	case *types.Struct:
		for i := 0; i < t.NumFields(); i++ {
			if !t.Field(i).Exported() || !isCopied(t.Field(i).Type()) {
				return false
			}
		}
	case *types.Array:
		return isCopied(t.Elem())
	}
	return true
}

// isTableWithMethods: a slice, a map or an array of which Lua gets a table, and its type has methods.
func isTableWithMethods(named *types.Named) bool {
	switch t := named.Underlying().(type) {
	case *types.Slice:
		if isByte(t.Elem()) {
			return false
		}
	case *types.Map:
		if !isKey(t.Key()) {
			return false
		}
	case *types.Array:
	default:
		return false
	}
	return len(methodsOf(named)) > 0
}

// isInferred: a generic function whose parameters mention all of its type parameters, so that a call needs no more.
func isInferred(sig *types.Signature) bool {
	for i := 0; i < sig.TypeParams().Len(); i++ {
		if !mentions(sig.Params(), sig.TypeParams().At(i)) {
			return false
		}
	}
	return sig.TypeParams().Len() > 0
}

func mentions(t types.Type, param *types.TypeParam) bool {
	switch t := unalias(t).(type) {
	case *types.TypeParam:
		return t == param
	case *types.Tuple:
		for i := 0; i < t.Len(); i++ {
			if mentions(t.At(i).Type(), param) {
				return true
			}
		}
	case *types.Map:
		return mentions(t.Key(), param) || mentions(t.Elem(), param)
	case *types.Signature:
		return mentions(t.Params(), param) || mentions(t.Results(), param)
	case *types.Named:
		for i := 0; i < t.TypeArgs().Len(); i++ {
			if mentions(t.TypeArgs().At(i), param) {
				return true
			}
		}
	case interface{ Elem() types.Type }:
		return mentions(t.Elem(), param)
	}
	return false
}

// handleName is the class of handles of a type: its own, where its values are handles.
func handleName(named *types.Named, name string) string {
	switch named.Underlying().(type) {
	case *types.Interface:
		return name
	case *types.Struct:
		if !isCopied(named) {
			return name
		}
	}
	return name + ".Handle"
}

// ---- names ----------------------------------------------------------------------------------------------------------

// What Lua and the annotations have a use for.
var (
	keywords = set(`and break do else elseif end false for function goto if in local nil not or repeat return then true
		until while fun async`)
	builtin = set(`any boolean function integer lightuserdata nil number string table thread unknown userdata goloader`)
)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(words) {
		all[word] = true
	}
	return all
}

func isWord(name string) bool {
	for i, letter := range name {
		if letter != '_' && (letter < 'a' || letter > 'z') && (letter < 'A' || letter > 'Z') &&
			(i == 0 || letter < '0' || letter > '9') {
			return false
		}
	}
	return name != ""
}

// word is a name in letters that names of classes may have.
func word(name string) string {
	if isWord(name) {
		return name
	}
	text := strings.Builder{}
	for _, letter := range name {
		if isWord("_" + string(letter)) {
			text.WriteRune(letter)
		} else {
			fmt.Fprintf(&text, "_%x", letter)
		}
	}
	return text.String()
}

func key(name string) string {
	if isWord(name) {
		return name
	}
	return fmt.Sprintf("[%q]", name)
}

// parameter is a name that no other parameter has.
func parameter(name string, i int, used map[string]bool) string {
	if !isWord(name) || name == "_" {
		name = fmt.Sprintf("p%d", i+1)
	}
	for keywords[name] || used[name] {
		name += "_"
	}
	used[name] = true
	return name
}

func parenthesized(text string) string {
	if strings.ContainsAny(text, "|") || strings.HasPrefix(text, "fun(") {
		return "(" + text + ")"
	}
	return text
}
