// Package definitions describes what a compiled Go package exports in the annotations of the Lua language server, so
// that editors complete and check Lua programs which call it.
//
// Types come from the export data in the package's object, as importers read them; doc comments from its source. Which
// Lua value stands for which Go type is in src/call/TYPES.md: plain data is a table, what has hidden state is a handle.
//
// A class is made for each exported type, and for each type of another package that these mention; what such a type
// mentions in its turn is a handle of which no more is told. The names of all classes begin with the module's, so that
// files of several modules can lie side by side.
package definitions

import (
	"fmt"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
)

// Package says what is to be described.
type Package struct {
	Object string   // file with its export data
	Path   string   // import path
	Name   string   // of the module's class; "": the package's own name
	Files  []string // its source
	Built  []string // what host:build is given to make it
	Std    bool     // goloader.std has it
}

// Describe returns the definitions, a Lua file that is never run.
func Describe(p Package) (string, error) {
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(string) (io.ReadCloser, error) { return os.Open(p.Object) })
	pkg, err := imp.Import(p.Path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.Object, err)
	}
	if p.Name == "" {
		p.Name = word(pkg.Name())
	}
	if builtin[p.Name] {
		p.Name = "go_" + p.Name
	}
	w := &writer{
		pkg: pkg, module: p.Name, docs: readDocs(p.Files), prefixes: map[*types.Package]string{},
		depth: map[*types.TypeName]int{}, taken: map[string]bool{p.Name: true},
	}
	w.write(p)
	return w.out.String(), nil
}

type writer struct {
	pkg      *types.Package
	module   string
	docs     docs
	out      strings.Builder
	prefixes map[*types.Package]string // what names of a package's classes begin with
	taken    map[string]bool
	queue    []*types.TypeName
	depth    map[*types.TypeName]int // of those that have a class: 0 the package's own, 1 mentioned by those
	at       int                     // the depth of what is being written

	isGeneric bool // type parameters have names in what is being written
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *writer) doc(name string) {
	for _, line := range w.docs[name] {
		// what would be read as an annotation
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "@") || strings.HasPrefix(text, "|") {
			line = `\` + text
		}
		w.line("---%s", line)
	}
}

// A separate line keeps a comment from running into the annotation above it.
func (w *writer) field(doc, name, typ string) {
	w.doc(doc)
	w.line("---@field %s %s", key(name), typ)
}

func (w *writer) write(p Package) {
	scope := w.pkg.Scope()
	for _, name := range scope.Names() {
		if obj, ok := scope.Lookup(name).(*types.TypeName); ok && obj.Exported() {
			w.want(obj, 0)
		}
	}
	w.line("---@meta _")
	w.line("-- What Go's package %s exports, as Lua has it. Made by `goloader types`.\n", w.pkg.Path())
	w.doc(packageDoc)
	w.line("---@class %s: goloader.TypedModule", w.module)
	generic := []*types.Func{}
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if f, ok := obj.(*types.Func); ok && obj.Exported() && isInferred(f.Type().(*types.Signature)) {
			generic = append(generic, f)
		} else if obj.Exported() {
			w.export(obj)
		}
	}
	if len(generic) > 0 {
		w.line("local module = {}")
	}
	w.line("")
	for _, f := range generic {
		w.generic(f)
	}
	for len(w.queue) > 0 {
		obj := w.queue[0]
		w.queue = w.queue[1:]
		w.at = w.depth[obj]
		w.typ(obj)
	}
	w.constructors(p)
}

// constructors says which calls return the module.
func (w *writer) constructors(p Package) {
	const failure = "|nil, string|nil, goloader.Error|nil"
	if len(p.Built) > 0 {
		w.line("---@class %s.Watched: %s, goloader.Watched\n", w.module, w.module)
		w.line("---@class goloader.Host")
	}
	for _, argument := range p.Built {
		w.line("---@field build fun(self: goloader.Host, paths: %q, options?: goloader.HostBuildOptions): %s", argument,
			w.module+failure)
		w.line("---@field watch fun(self: goloader.Host, paths: %q, options?: goloader.WatchOptions): %s", argument,
			w.module+".Watched"+failure)
	}
	if p.Std {
		w.line("\n---@class goloader")
		w.line("---@field std fun(path: %q): %s", p.Path, w.module)
	}
}

// export writes a field of the module's class.
func (w *writer) export(obj types.Object) {
	name := obj.Name()
	switch obj := obj.(type) {
	case *types.Func:
		w.field(name, name, "goloader.Func|"+w.fun(obj.Type().(*types.Signature), ""))
	case *types.Var:
		w.field(name, name, strings.TrimSuffix(w.lua(obj.Type(), result), "|nil"))
	case *types.Const:
		w.field(name, name, w.constant(obj))
	case *types.TypeName:
		w.field(name, name, w.class(obj)+".Type")
	}
}

// generic writes a generic function whose arguments tell its type arguments: as a function, for a field's type has no
// place for the names of those.
func (w *writer) generic(f *types.Func) {
	sig := f.Type().(*types.Signature)
	w.doc(f.Name())
	names := []string{}
	for i := 0; i < sig.TypeParams().Len(); i++ {
		p := sig.TypeParams().At(i)
		names = append(names, word(p.Obj().Name())+w.constraint(p))
	}
	w.isGeneric = true
	params := w.params(sig)
	results := w.results(sig.Results())
	w.isGeneric = false
	w.line("---@generic %s", strings.Join(names, ", "))
	names = names[:0]
	for _, p := range params {
		w.line("---@param %s %s", p.name, p.typ)
		names = append(names, p.name)
	}
	for _, text := range results {
		w.line("---@return %s", text)
	}
	if isWord(f.Name()) {
		w.line("function module.%s(%s) end\n", f.Name(), strings.Join(names, ", "))
	} else {
		w.line("module[%q] = function(%s) end\n", f.Name(), strings.Join(names, ", "))
	}
}

// constraint is what the annotations say of a type parameter: ": integer|string" of one that is a union of types which
// are that in Lua; nothing of others.
func (w *writer) constraint(p *types.TypeParam) string {
	terms, ok := unionOf(p.Constraint())
	if !ok {
		return ""
	}
	texts := []string{}
	for _, t := range terms {
		if _, ok := unalias(t).Underlying().(*types.Basic); !ok {
			return ""
		}
		if text := w.lua(t, result); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return ": " + strings.Join(texts, "|")
}

// unionOf is what a constraint lists, where it does nothing else.
func unionOf(t types.Type) ([]types.Type, bool) {
	constraint, ok := t.Underlying().(*types.Interface)
	if !ok {
		return []types.Type{t}, true
	}
	if constraint.NumExplicitMethods() > 0 || constraint.NumEmbeddeds() != 1 {
		return nil, false
	}
	union, ok := unalias(constraint.EmbeddedType(0)).(*types.Union)
	if !ok {
		return unionOf(constraint.EmbeddedType(0))
	}
	var all []types.Type
	for i := 0; i < union.Len(); i++ {
		some, ok := unionOf(union.Term(i).Type())
		if !ok {
			return nil, false
		}
		all = append(all, some...)
	}
	return all, true
}

// constant is the type of a field that never changes: its value, where the annotations have such a type.
func (w *writer) constant(obj *types.Const) string {
	if text := literal(obj.Val()); text != "" {
		return text
	}
	switch obj.Val().Kind() {
	case constant.Bool:
		return "boolean"
	case constant.Int:
		return "integer"
	case constant.String:
		return "string"
	case constant.Float:
		return "number"
	}
	return "number[]"
}

// literal is a value as a type; "" where it can't be one.
func literal(value constant.Value) string {
	switch value.Kind() {
	case constant.Int:
		if n, exact := constant.Int64Val(value); exact && n > -1<<53 && n < 1<<53 {
			return fmt.Sprint(n)
		}
	case constant.String:
		text := constant.StringVal(value)
		for _, letter := range text {
			if letter < ' ' || letter > '~' || letter == '"' || letter == '\\' {
				return ""
			}
		}
		if len(text) < 100 {
			return `"` + text + `"`
		}
	}
	return ""
}

// class is the name of a type's class.
func (w *writer) class(obj *types.TypeName) string {
	prefix := w.module
	if pkg := obj.Pkg(); pkg != nil && pkg != w.pkg {
		known, ok := w.prefixes[pkg]
		if !ok {
			known = w.module + "." + word(pkg.Name())
			for n := 2; w.taken[known]; n++ {
				known = fmt.Sprintf("%s.%s%d", w.module, word(pkg.Name()), n)
			}
			w.taken[known] = true
			w.prefixes[pkg] = known
		}
		prefix = known
	}
	return prefix + "." + word(obj.Name())
}

// want has a class made for a type.
func (w *writer) want(obj *types.TypeName, depth int) {
	if _, ok := w.depth[obj]; !ok {
		w.depth[obj] = depth
		w.queue = append(w.queue, obj)
	}
}

// typ writes what there is of a named type: what its values are, what handles of them are, what makes them.
func (w *writer) typ(obj *types.TypeName) {
	name, isOwn := w.class(obj), obj.Pkg() == w.pkg && obj.Exported()
	doc := ""
	if isOwn {
		doc = obj.Name()
	}
	named, ok := unalias(obj.Type()).(*types.Named)
	if !ok || obj.IsAlias() && named.Obj() != obj {
		w.doc(doc)
		w.line("---@alias %s %s", name, w.lua(obj.Type(), result))
		w.line("")
	} else if named.TypeParams().Len() > 0 {
		w.doc(doc)
		w.line("---@class %s: goloader.Handle", name)
		w.line("---@field [string] any\n")
	} else {
		w.named(named, name, doc)
	}
	if isOwn {
		w.line("---@class %s.Type: goloader.Type", name)
		if ok && named.TypeParams().Len() == 0 && !types.IsInterface(named) {
			made := handle
			if class, known := w.classOf(named); known {
				made = handleName(named, class)
			}
			w.line("---@overload fun(value?: %s): %s", w.lua(named, argument), made)
		}
		w.line("")
	}
}

func (w *writer) named(named *types.Named, name, doc string) {
	handle := handleName(named, name)
	s, isStruct := named.Underlying().(*types.Struct)
	switch {
	case isStruct && isCopied(named):
		w.doc(doc)
		w.line("---@class %s", name)
		w.fields(s, doc)
		w.methods(named, name, doc)
		w.line("---@class %s: %s, goloader.Handle\n", handle, name)
		return // its methods are those of the table
	case isStruct:
		w.doc(doc)
		w.line("---@class %s: goloader.Handle", name)
		w.fields(s, doc)
	case types.IsInterface(named):
		w.doc(doc)
		w.line("---@class %s: goloader.Handle", name)
	case isTableWithMethods(named):
		w.doc(doc)
		w.line("---@class %s", name)
		w.elements(named)
		w.methods(named, name, doc)
		w.line("---@class %s: %s, goloader.Handle\n", handle, name)
		return
	default:
		w.doc(doc)
		w.line("---@alias %s %s", name, w.lua(named.Underlying(), result))
		w.constants(named)
		w.line("")
		w.line("---@class %s: goloader.Handle", handle)
	}
	w.methods(named, handle, doc)
}

// constants makes an enumeration of a type that has some, in the order of their values.
func (w *writer) constants(named *types.Named) {
	all, scope := []*types.Const{}, named.Obj().Pkg().Scope()
	for _, name := range scope.Names() {
		obj, ok := scope.Lookup(name).(*types.Const)
		if ok && obj.Exported() && types.Identical(obj.Type(), named) && literal(obj.Val()) != "" {
			all = append(all, obj)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return constant.Compare(all[i].Val(), token.LSS, all[j].Val()) })
	for _, obj := range all {
		w.line("---| %s # %s", literal(obj.Val()), obj.Name())
	}
}

func (w *writer) fields(s *types.Struct, doc string) {
	for i := 0; i < s.NumFields(); i++ {
		if f := s.Field(i); f.Exported() {
			key := ""
			if doc != "" {
				key = doc + "." + f.Name()
			}
			w.field(key, f.Name(), w.lua(f.Type(), result))
		}
	}
}

// elements says what is in a table.
func (w *writer) elements(named *types.Named) {
	switch t := named.Underlying().(type) {
	case *types.Map:
		w.line("---@field [%s] %s", w.lua(t.Key(), result), w.lua(t.Elem(), result))
	case interface{ Elem() types.Type }:
		w.line("---@field [integer] %s", w.lua(t.Elem(), result))
	}
}

// isGeneric tells of methods with type parameters of their own, which Go has since 1.27: at run time no type has them.
func isGeneric(method types.Object) bool {
	return method.Type().(*types.Signature).TypeParams().Len() > 0
}

// methodsOf are those that a handle has: of a pointer to the type, embedded ones too.
func methodsOf(named *types.Named) []*types.Func {
	all := types.NewMethodSet(named)
	if !types.IsInterface(named) {
		all = types.NewMethodSet(types.NewPointer(named))
	}
	methods := []*types.Func{}
	for i := 0; i < all.Len(); i++ {
		if m := all.At(i).Obj().(*types.Func); m.Exported() && !isGeneric(m) {
			methods = append(methods, m)
		}
	}
	sort.Slice(methods, func(i, j int) bool { return methods[i].Name() < methods[j].Name() })
	return methods
}

func (w *writer) methods(named *types.Named, class, doc string) {
	for _, m := range methodsOf(named) {
		key := ""
		if doc != "" {
			key = doc + "." + m.Name()
		}
		w.field(key, m.Name(), w.fun(m.Type().(*types.Signature), class))
	}
	w.line("")
}
