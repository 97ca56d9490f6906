package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A host made twice is the same, byte for byte, wherever its sources and whoever makes it: so nothing in it may tell in
// which directory goloader.dev/host lies. The go command's own flag for that, -trimpath, is for all packages, and would
// give the host another build of the standard library than modules are compiled against. So its packages alone get the
// compiler's and the assembler's flag of that name: files of theirs are called goloader.dev/host/call.go.
//
// The go command gives that flag too, for what it has generated in a temporary directory, and of two the tools heed the
// last. So they are run by way of this program (-toolexec), which makes one flag of both. In packages that have been
// compiled like that before, which the go command knows by their flags, the names are the same.
//
// The C compiler is kept from naming directories by a #cgo line (cflags.go).

const toolWord = "tool" // mkhost tool TOOL ARGUMENTS…

// trimFlag renames a directory in what the Go tools write.
func trimFlag(dir, name string) string { return "-trimpath=" + dir + "=>" + name }

// trimFlags are the go command's, for listing the host's own packages. What the user's flags give all packages is
// repeated: of flags for a package, the go command heeds the last.
func (h *host) trimFlags() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	flags := []string{"-toolexec=" + quoteWord(self) + " " + toolWord}
	for _, name := range []string{"gcflags", "asmflags"} {
		words := []string{quoteWord(trimFlag(h.sources, hostPath))}
		for _, flag := range append(strings.Fields(h.setting("GOFLAGS")), h.flags...) {
			flag = strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "-")
			if value, ok := strings.CutPrefix(flag, name+"=all="); ok {
				words = append(words[:1], value)
			}
		}
		flags = append(flags, fmt.Sprintf("-%s=%s/...=%s", name, hostPath, strings.Join(words, " ")))
	}
	return flags, nil
}

// quoteWord is what splitWords reads back as one word.
func quoteWord(word string) string {
	if !strings.ContainsAny(word, " \t\n\r'\"") {
		return word
	}
	if strings.Contains(word, "'") {
		return `"` + word + `"`
	}
	return "'" + word + "'"
}

// runTool becomes a tool of Go's, with one -trimpath flag in the place of several.
func runTool(argv []string) error {
	noteCompile(argv)
	const flag = "-trimpath"
	var args, rewrites []string
	for i := 0; i < len(argv); i++ {
		if value, ok := strings.CutPrefix(argv[i], flag+"="); ok {
			rewrites = append(rewrites, value)
		} else if argv[i] == flag && i+1 < len(argv) {
			i++
			rewrites = append(rewrites, argv[i])
		} else {
			args = append(args, argv[i])
		}
	}
	if len(rewrites) > 0 {
		args = append(append(args[:1:1], flag, strings.Join(rewrites, ";")), args[1:]...)
	}
	// The C compiler is run by its name alone, when the go command asks which one it is. That is a part of what it knows
	// the builds of packages with C in them by: without an answer they would be others than modules are compiled against.
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, args, os.Environ()))
}

// noteCompile says which package is compiled now to who shows that on a terminal (lua/goloader/command/terminal.lua).
func noteCompile(argv []string) {
	file := os.Getenv("GOLOADER_COMPILES")
	if file == "" || len(argv) < 2 || argv[1] == "-V=full" || filepath.Base(argv[0]) != "compile" {
		return
	}
	if f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0); err == nil {
		fmt.Fprintln(f, os.Getenv("TOOLEXEC_IMPORTPATH"))
		f.Close()
	}
}
