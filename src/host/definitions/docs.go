package definitions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// packageDoc is the name of the package's own comment.
const packageDoc = "package"

// docs are doc comments, in lines: of exports by their names, of methods and fields by the type's
// name and theirs: "Client.Get".
type docs map[string][]string

// readDocs reads source files. What can't be read has no comments: the compiler has said what is wrong with it.
func readDocs(files []string) docs {
	found, positions := docs{}, token.NewFileSet()
	for _, file := range files {
		tree, err := parser.ParseFile(positions, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		found.add(packageDoc, tree.Doc)
		for _, decl := range tree.Decls {
			found.addDecl(decl)
		}
	}
	return found
}

func (d docs) add(name string, comments ...*ast.CommentGroup) {
	for _, comment := range comments {
		if text := strings.TrimRight(comment.Text(), "\n"); text != "" && d[name] == nil {
			d[name] = strings.Split(text, "\n")
		}
	}
}

func (d docs) addDecl(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name := decl.Name.Name
		if decl.Recv != nil && len(decl.Recv.List) == 1 {
			name = receiver(decl.Recv.List[0].Type) + "." + name
		}
		d.add(name, decl.Doc)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if len(decl.Specs) == 1 {
						d.add(name.Name, spec.Doc, spec.Comment, decl.Doc)
					} else {
						d.add(name.Name, spec.Doc, spec.Comment)
					}
				}
			case *ast.TypeSpec:
				d.add(spec.Name.Name, spec.Doc, spec.Comment)
				if len(decl.Specs) == 1 {
					d.add(spec.Name.Name, decl.Doc)
				}
				d.addMembers(spec)
			}
		}
	}
}

// addMembers: fields of a struct, methods of an interface.
func (d docs) addMembers(spec *ast.TypeSpec) {
	fields := (*ast.FieldList)(nil)
	switch t := spec.Type.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	}
	if fields == nil {
		return
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			d.add(spec.Name.Name+"."+name.Name, field.Doc, field.Comment)
		}
	}
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
