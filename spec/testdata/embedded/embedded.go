// Package embedded carries files.
package embedded

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed assets/hello.txt
var hello string

//go:embed assets/two.bin
var two []byte

//go:embed assets
var files embed.FS

// Hello is a file's text.
func Hello() string { return strings.TrimSpace(hello) }

// Files lists a directory that is not there at run time.
func Files() (string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := files.ReadFile(path)
			names = append(names, fmt.Sprint(path, ":", len(data)))
		}
		return err
	})
	return fmt.Sprint(names, len(two)), err
}
