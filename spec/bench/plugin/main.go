// Command plugin does with Go's own plugins what the loader does with objects, and prints how long it took in
// milliseconds.
//
//	plugin open FILE.so [FUNCTION]        open the plugin and look its functions up
//	plugin edit FILE.go NEW.go CATALOGUE  build and open FILE.go unmeasured; then: replace it by NEW.go, build, open,
//	                                      and print the number of products on the page that the new code answers with
//
// It links the packages that examples/listpage/list.go imports, as the loader's host does, so neither side has to
// initialise them when the code arrives.
package main

import (
	_ "cmp"
	_ "encoding/json"
	_ "errors"
	"fmt"
	_ "html/template"
	_ "io"
	_ "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"plugin"
	_ "slices"
	_ "sort"
	_ "strconv"
	"strings"
	_ "sync/atomic"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "plugin: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "open":
		begin := time.Now()
		p, err := plugin.Open(args[1])
		if err == nil {
			_, err = p.Lookup(args[2])
		}
		if err != nil {
			return err
		}
		fmt.Println(milliseconds(time.Since(begin)))
		return nil
	case len(args) == 2 && args[0] == "open":
		begin := time.Now()
		if _, err := open(args[1]); err != nil {
			return err
		}
		fmt.Println(milliseconds(time.Since(begin)))
		return nil
	case len(args) == 4 && args[0] == "edit":
		return edit(args[1], args[2], args[3])
	}
	return fmt.Errorf("unknown arguments %q", args)
}

// listpage is what is called of examples/listpage/list.go.
type listpage struct {
	open   func(path string) (int, error)
	render func(category, query string) (string, error)
}

func open(file string) (*listpage, error) {
	p, err := plugin.Open(file)
	if err != nil {
		return nil, err
	}
	var page listpage
	symbol, err := p.Lookup("Open")
	if err != nil {
		return nil, err
	}
	page.open = symbol.(func(string) (int, error))
	if symbol, err = p.Lookup("Render"); err != nil {
		return nil, err
	}
	page.render = symbol.(func(string, string) (string, error))
	return &page, nil
}

func edit(source, edited, catalogue string) error {
	dir := filepath.Dir(source)
	if _, err := buildAndAsk(source, filepath.Join(dir, "before.so"), catalogue); err != nil {
		return err
	}
	text, err := os.ReadFile(edited)
	if err != nil {
		return err
	}
	if err := os.WriteFile(source, text, 0o644); err != nil {
		return err
	}
	begin := time.Now()
	products, err := buildAndAsk(source, filepath.Join(dir, "after.so"), catalogue)
	if err != nil {
		return err
	}
	fmt.Println(milliseconds(time.Since(begin)), products)
	return nil
}

// buildAndAsk returns the number of products on the first page of phones.
func buildAndAsk(source, output, catalogue string) (int, error) {
	if out, err := exec.Command("go", "build", "-buildmode=plugin", "-o", output, source).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%v: %s", err, out)
	}
	page, err := open(output)
	if err != nil {
		return 0, err
	}
	if _, err := page.open(catalogue); err != nil {
		return 0, err
	}
	html, err := page.render("phones", "")
	return strings.Count(html, "<li id=\"p"), err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
