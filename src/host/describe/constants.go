package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strconv"
	"strings"
)

// addBuiltins lists the runtime's functions and variables that objects refer to by number alone: their index in the
// table of cmd/internal/goobj/builtinlist.go.
func addBuiltins(d *description, src string) error {
	path := filepath.Join(src, "cmd/internal/goobj/builtinlist.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	object := file.Scope.Lookup("builtins")
	if object == nil {
		return fmt.Errorf("%s: no variable builtins", path)
	}
	spec, ok := object.Decl.(*ast.ValueSpec)
	if !ok || len(spec.Values) != 1 {
		return fmt.Errorf("%s: builtins has no value", path)
	}
	list, ok := spec.Values[0].(*ast.CompositeLit)
	if !ok {
		return fmt.Errorf("%s: builtins is no list", path)
	}
	for i, element := range list.Elts {
		entry, ok := element.(*ast.CompositeLit)
		if !ok || len(entry.Elts) != 2 {
			return fmt.Errorf("%s: entry %d of builtins is no pair of name and ABI", path, i)
		}
		name, isName := entry.Elts[0].(*ast.BasicLit)
		abi, isABI := entry.Elts[1].(*ast.BasicLit)
		if !isName || !isABI {
			return fmt.Errorf("%s: entry %d of builtins is no pair of name and ABI", path, i)
		}
		text, err := strconv.Unquote(name.Value)
		if err != nil {
			return fmt.Errorf("%s: entry %d of builtins: %w", path, i, err)
		}
		// In the header, because their order means something.
		d.addHeader("builtin", i, text, abi.Value)
	}
	return nil
}

// addConstants writes the numbers that the compiler and the linker agree upon. The package's own types
// say which constants belong together, so that a number added by a later release comes along by itself.
func addConstants(d *description, src, goarch string) error {
	config := build.Default
	config.GOARCH = goarch
	config.CgoEnabled = false

	// The flag R_WEAK has no type of its own, but the name of a relocation.
	isReloc := func(c *types.Const) bool { return strings.HasPrefix(c.Name(), "R_") }
	kinds := func(c *types.Const) string {
		named, ok := c.Type().(*types.Named)
		if isReloc(c) || ok && named.Obj().Name() == "SymKind" {
			return c.Name()
		}
		return ""
	}
	exported := func(c *types.Const) string {
		if !c.Exported() {
			return ""
		}
		return c.Name()
	}
	for _, from := range []struct {
		dir   string
		files []string // none: those that the processor selects
		name  func(*types.Const) string
	}{
		{"cmd/internal/objabi", []string{"reloctype.go", "symkind.go"}, kinds},
		{"internal/abi", nil, exported},
	} {
		dir := filepath.Join(src, from.dir)
		files := from.files
		if files == nil {
			pkg, err := config.ImportDir(dir, 0)
			if err != nil {
				return err
			}
			files = pkg.GoFiles
		}
		constants, err := packageConstants(dir, files)
		if err != nil {
			return err
		}
		found := 0
		for _, c := range constants {
			value, ok := constant.Int64Val(constant.ToInt(c.Val()))
			if name := from.name(c); name != "" && ok {
				// An object holds a relocation's type as 16 bits without a sign; R_WEAK is their highest.
				if isReloc(c) {
					value = int64(uint16(value))
				}
				d.add("const", name, value)
				found++
			}
		}
		if found == 0 {
			return fmt.Errorf("%s: none of the constants that were expected in %s", dir, strings.Join(files, ", "))
		}
	}
	return nil
}

// packageConstants evaluates the package-level integer constants of some files of a package. What else the files
// refer to is of no interest, so errors about it are ignored: a constant that suffers from one has no value, and is
// left out.
func packageConstants(dir string, names []string) ([]*types.Const, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	config := types.Config{
		Importer: importer.ForCompiler(fset, "source", nil),
		Error:    func(error) {},
	}
	pkg, _ := config.Check(dir, fset, files, nil)
	var constants []*types.Const
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if ok && constant.ToInt(c.Val()).Kind() == constant.Int {
			constants = append(constants, c)
		}
	}
	return constants, nil
}

// addMain writes where a program's main is called: the lines in runtime/proc.go of runtime.main, and of the call in it,
// which any trace of a program's main goroutine has.
func addMain(d *description, src string) error {
	path := filepath.Join(src, "runtime/proc.go")
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		main, ok := decl.(*ast.FuncDecl)
		if !ok || main.Name.Name != "main" {
			continue
		}
		call := callOf("main_main", main.Body)
		if call == nil {
			break
		}
		d.add("const", "runtime.main:line", fset.Position(main.Pos()).Line)
		d.add("const", "runtime.main:call", fset.Position(call.Pos()).Line)
		return nil
	}
	return fmt.Errorf("%s: no function main that calls main_main", path)
}

// callOf is the call in body of a function that a variable was made of: name := function, name().
func callOf(function string, body *ast.BlockStmt) *ast.CallExpr {
	var name string
	var found *ast.CallExpr
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			from, isFrom := n.Rhs[0].(*ast.Ident)
			if to, isTo := n.Lhs[0].(*ast.Ident); isFrom && isTo && from.Name == function {
				name = to.Name
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && found == nil && (f.Name == function || name != "" && f.Name == name) {
				found = n
			}
		}
		return true
	})
	return found
}
