package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strings"

	"goloader.dev/host/internal/keep"
)

// libraryPath is what a library's main package is called, in it and by debuggers.
const libraryPath = hostPath + "/mkhost/library"

// The main package of a library; a file that keeps packages joins it.
const librarySource = `package main

import _ "goloader.dev/host"

func main() {}
`

// linkLibrary compiles a main package that keeps the packages whole, and links it.
func (h *host) linkLibrary(output string, kept []string) error {
	// Packages are compiled for a place that is not known yet.
	shared := []string{"-buildmode=c-shared"}
	var user []*pkg
	var err error
	own := []string{hostPath}
	if len(h.packages) > 0 {
		if user, err = h.listUser(shared, h.packages); err != nil {
			return err
		}
	}
	users := archivesOf(user)
	for _, path := range kept {
		if users[path] == "" {
			own = append(own, path)
		}
	}
	runtime, err := h.listOwn(shared, own)
	if err != nil {
		return err
	}
	archives := archivesOf(runtime, user)

	main, err := h.compileMain(archives, kept)
	if err != nil {
		return err
	}
	importcfg := filepath.Join(h.temp, "importcfg.link")
	text := importcfgText(archives) + modinfo(h.buildInfo(user))
	if err := os.WriteFile(importcfg, []byte(text), 0o666); err != nil {
		return err
	}
	// The DWARF stays in: it is not mapped, debuggers want it, and the description is made from it.
	flags := splitWords(h.ldflags)
	id := h.buildID(kept, runtime, user)
	args := append([]string{"tool", "link", "-o", output, "-importcfg", importcfg, "-buildmode=c-shared",
		"-buildid=" + id}, linkerFlags(h.compiler(user), flags)...)
	env := h.env
	if h.trimsPaths() {
		env = append(env[:len(env):len(env)], "GOROOT=")
	}
	if _, err := h.goCommand(h.temp, env, append(args, main)...); err != nil {
		return fmt.Errorf("# %s\n%w", h.output, err)
	}
	return describeFrames(output)
}

// buildID tells a library from all that are made of something else. Where its parts lie doesn't matter.
func (h *host) buildID(kept []string, lists ...[]*pkg) string {
	contents := map[string]string{}
	for _, list := range lists {
		for _, p := range list {
			// what follows is the hash of the archive; before it is that of what it was made by
			contents[p.ImportPath] = p.BuildID[strings.LastIndexByte(p.BuildID, '/')+1:]
		}
	}
	id := sha256.Sum256([]byte(strings.Join([]string{
		h.version(), importcfgText(contents), h.buildInfo(lists[1]), h.ldflags,
		strings.Join(h.compiler(lists[1]), " "), strings.Join(kept, "\n"),
	}, "\n")))
	return hex.EncodeToString(id[:])
}

// compileMain compiles the main package of a library.
func (h *host) compileMain(archives map[string]string, kept []string) (string, error) {
	source, err := keep.Source(archives, kept)
	if err != nil {
		return "", err
	}
	object := filepath.Join(h.temp, "main.a")
	for name, text := range map[string]string{
		"main.go": librarySource, "keep.go": string(source), "importcfg": importcfgText(archives),
	} {
		if err := os.WriteFile(filepath.Join(h.temp, name), []byte(text), 0o666); err != nil {
			return "", err
		}
	}
	_, err = h.goCommand(h.temp, h.env, "tool", "compile", "-o", object, "-p", "main", "-complete", "-shared", "-pack",
		trimFlag(h.temp, libraryPath), "-importcfg", "importcfg", "main.go", "keep.go")
	return object, err
}

func importcfgText(archives map[string]string) string {
	var lines []string
	for path, file := range archives {
		lines = append(lines, fmt.Sprintf("packagefile %s=%s\n", path, file))
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}

// compiler is what the linker lets do the work: the C++ compiler where a package has C++ in it.
func (h *host) compiler(packages []*pkg) []string {
	for _, p := range packages {
		if len(p.CXXFiles) > 0 {
			return strings.Fields(h.setting("CXX"))
		}
	}
	return strings.Fields(h.setting("CC"))
}

// linkerFlags adds the compiler to the user's flags; what follows its name goes before the flags for it.
func linkerFlags(compiler, flags []string) []string {
	extflags := compiler[1:]
	var all []string
	for i := 0; i < len(flags); i++ {
		name, value, ok := strings.Cut(strings.TrimPrefix(flags[i], "-"), "=")
		switch strings.TrimPrefix(name, "-") {
		case "extld":
			return flags // the user's own
		case "extldflags":
			if !ok && i+1 < len(flags) {
				i++
				value = flags[i]
			}
			extflags = append(extflags[:len(extflags):len(extflags)], value)
		default:
			all = append(all, flags[i])
		}
	}
	all = append(all, "-extld="+compiler[0])
	if len(extflags) > 0 {
		all = append(all, "-extldflags="+strings.Join(extflags, " "))
	}
	return all
}

// splitWords splits flags as the go command does: at white space, except between quotes.
func splitWords(text string) []string {
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := strings.IndexAny(text, " \t\n\r")
		if quote := text[0]; quote == '\'' || quote == '"' {
			text = text[1:]
			end = strings.IndexByte(text, quote)
		}
		if end < 0 {
			end = len(text)
		}
		words = append(words, text[:end])
		text = strings.TrimLeft(text[end:], `'"`)
	}
	return words
}

func (h *host) trimsPaths() bool {
	for _, flag := range append(strings.Fields(h.setting("GOFLAGS")), h.flags...) {
		if flag == "-trimpath" || flag == "-trimpath=true" {
			return true
		}
	}
	return false
}

// ---- what a library tells of itself -----------------------------------------------------------------------------

// buildInfo is what `go version -m` and runtime/debug tell of the library.
func (h *host) buildInfo(user []*pkg) string {
	info := debug.BuildInfo{Path: libraryPath}
	known := map[string]bool{}
	for _, p := range user {
		if p.Module != nil && !known[p.Module.Path] {
			known[p.Module.Path] = true
			info.Deps = append(info.Deps, p.Module.debug())
		}
	}
	sort.Slice(info.Deps, func(i, j int) bool { return info.Deps[i].Path < info.Deps[j].Path })
	add := func(key, value string) {
		if value != "" {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
		}
	}
	add("-buildmode", "c-shared")
	add("-compiler", "gc")
	for _, flag := range h.flags {
		name, value, _ := strings.Cut(flag, "=")
		add(name, value)
	}
	add("-ldflags", h.ldflags)
	add("CGO_ENABLED", "1")
	add("GOARCH", h.setting("GOARCH"))
	add("GOEXPERIMENT", h.setting("GOEXPERIMENT"))
	add("GOOS", "linux")
	add("GOAMD64", h.setting("GOAMD64"))
	return info.String()
}

func (m *module) debug() *debug.Module {
	d := &debug.Module{Path: m.Path, Version: m.Version}
	if d.Version == "" {
		d.Version = "(devel)"
	}
	if m.Replace != nil {
		d.Replace = m.Replace.debug()
	}
	return d
}

// modinfo is the importcfg line by which the linker learns of it, between the marks that debuggers look for
// (cmd/go/internal/modload/build.go, ModInfoData).
func modinfo(info string) string {
	start, _ := hex.DecodeString("3077af0c9274080241e1c107e6d618e6")
	end, _ := hex.DecodeString("f932433186182072008242104116d8f2")
	return fmt.Sprintf("modinfo %q\n", string(start)+info+string(end))
}

// ---- programs ---------------------------------------------------------------------------------------------------

// buildProgram lets the go command build the user's program, with one file more that keeps the packages whole: it
// joins the program by way of an overlay, since nothing is to be written among the user's files.
func (h *host) buildProgram(output string, std, linked []*pkg, kept []string) error {
	var program *pkg
	imports := false
	for _, p := range linked {
		if p.isProgram() {
			program = p
		}
		imports = imports || p.ImportPath == hostPath
	}
	if !imports {
		return fmt.Errorf("%s does not import %s, so it can't be its own host", program.ImportPath, hostPath)
	}
	overlay, err := h.overlay()
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		source, err := keep.Source(archivesOf(std, linked), kept)
		if err != nil {
			return err
		}
		file := filepath.Join(h.temp, "keep.go")
		if err := os.WriteFile(file, source, 0o666); err != nil {
			return err
		}
		overlay[filepath.Join(program.Dir, "goloader_keep.go")] = file
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(map[string]any{"Replace": overlay}); err != nil {
		return err
	}
	file := filepath.Join(h.temp, "overlay.json")
	if err := os.WriteFile(file, text.Bytes(), 0o666); err != nil {
		return err
	}
	args := append(append([]string{"build", "-o", output}, h.flags...), h.modules...)
	if h.ldflags != "" {
		args = append(args, "-ldflags="+h.ldflags)
	}
	if h.mode != "" {
		args = append(args, "-buildmode="+h.mode)
	}
	_, err = h.goCommand("", h.env, append(args, "-overlay="+file, "--", h.packages[0])...)
	return err
}

// overlay is the user's own.
func (h *host) overlay() (map[string]string, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, flag := range append(strings.Fields(h.setting("GOFLAGS")), h.modules...) {
		if file, ok := strings.CutPrefix(strings.TrimPrefix(flag, "-"), "overlay="); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(text, &overlay); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return overlay.Replace, nil
}
