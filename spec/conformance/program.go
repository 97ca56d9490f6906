// Which programs there are, and how each wants to be built and run.
//
// The rules are those of Go's own driver (cmd/internal/testdir/testdir_test.go): the first line that is neither empty
// nor a build constraint is the recipe, `// run [flags] [args]`, and build constraints above the package clause say
// where it applies. Recipes that run nothing (`// compile`, `// errorcheck`) are not for us.

package main

import (
	"fmt"
	"go/build"
	"go/build/constraint"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// program is one program of $GOROOT/test.
type program struct {
	name       string   // "fixedbugs/bug016": its path below $GOROOT/test without .go
	file       string   // "fixedbugs/bug016.go"
	action     string   // the first word of its recipe: "run", "rundir", …; plan.go tells what each means
	flags      []string // of go build, or for rundir of the compiler
	more       []string // Go files beside the first
	args       []string // its own
	env        []string // what the recipe adds
	experiment string   // GOEXPERIMENT that it needs, and that its host must have been built with
	single     bool     // of a folder: each file is a package of its own, whatever its name
	mustFail   bool     // of a folder: the last package but one does not compile
	modVersion string   // of a folder that is a module: its go version
	source     []byte   // all of its files
	output     []byte   // what it must print, standard output and error together; its .out file or nothing
}

// dir is the folder of a program that has one, below $GOROOT/test.
func (p *program) dir() string { return p.name + ".dir" }

// Recipes that run something, and whether the program is the folder beside the file instead of the file.
var actions = map[string]bool{
	"run": false, "buildrun": false, "runoutput": false,
	"rundir": true, "errorcheckandrundir": true, "buildrundir": true, "runindir": true,
}

// findPrograms returns the programs that apply to this system and match the wanted names, sorted by name.
func findPrograms(cfg *config) ([]*program, error) {
	wanted, err := matcher(cfg.tests)
	if err != nil {
		return nil, err
	}
	var programs []*program
	err = filepath.WalkDir(cfg.testDir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || filepath.Ext(file) != ".go" || strings.HasPrefix(entry.Name(), ".") {
			return nil
		}
		rel, err := filepath.Rel(cfg.testDir, file)
		if err != nil || !wanted(strings.TrimSuffix(rel, ".go")) {
			return err
		}
		p, err := readProgram(cfg.testDir, rel)
		if p != nil && cfg.set.takes(p) {
			programs = append(programs, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(programs) == 0 {
		return nil, fmt.Errorf("no program of %s matches %s", cfg.testDir, strings.Join(cfg.tests, " "))
	}
	return programs, nil
}

// readProgram returns nil for a file that is not a program of ours.
func readProgram(dir, file string) (*program, error) {
	source, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	fields := splitQuoted(recipe(string(source)))
	if len(fields) == 0 || !applies(string(source)) {
		return nil, nil
	}
	isFolder, ok := actions[fields[0]]
	if !ok {
		return nil, nil
	}
	p := &program{name: strings.TrimSuffix(file, ".go"), file: file, action: fields[0], source: source}
	p.readFlags(fields[1:])
	if isFolder {
		if err := p.addFolder(dir); err != nil {
			return nil, err
		}
	}
	p.output, err = os.ReadFile(filepath.Join(dir, p.name+".out"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return p, nil
}

// readFlags reads what stands after the first word of a recipe.
func (p *program) readFlags(words []string) {
	for ; len(words) > 0; words = words[1:] {
		takesValue := len(words) > 1
		switch flag := words[0]; {
		case strings.HasSuffix(flag, ".go"): // as the go command has it: more of its source
			p.more = append(p.more, flag)
		case !strings.HasPrefix(flag, "-"):
			p.args = words
			return
		case flag == "-t" && takesValue: // seconds; ours are generous already
			words = words[1:]
		case flag == "-godebug" && takesValue:
			p.env = append(p.env, "GODEBUG="+words[1])
			words = words[1:]
		case flag == "-goexperiment" && takesValue:
			p.experiment = words[1]
			p.env = append(p.env, "GOEXPERIMENT="+words[1])
			words = words[1:]
		case flag == "-gomodversion" && takesValue:
			p.modVersion = words[1]
			words = words[1:]
		case (flag == "-gcflags" || flag == "-ldflags" && p.action != "rundir") && takesValue:
			// this way the recipe is one argument for any runner
			p.flags = append(p.flags, flag+"="+words[1])
			words = words[1:]
		case flag == "-s":
			p.single = true
		case flag == "-1":
			p.mustFail = true
		case flag == "-0":
			p.mustFail = false
		default:
			p.flags = append(p.flags, flag)
		}
	}
}

// addFolder appends the files of the program's folder to its source: a native result holds for as long as they do.
func (p *program) addFolder(dir string) error {
	return filepath.WalkDir(filepath.Join(dir, p.dir()), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		p.source = append(append(p.source, file...), text...)
		return err
	})
}

// recipe returns the first line that is neither blank nor a build constraint, if it is a comment.
func recipe(source string) string {
	for source != "" {
		var line string
		line, source, _ = strings.Cut(source, "\n")
		if constraint.IsGoBuild(line) || constraint.IsPlusBuild(line) || strings.TrimSpace(line) == "" {
			continue
		}
		if comment, ok := strings.CutPrefix(line, "//"); ok {
			return strings.TrimSpace(comment)
		}
		return ""
	}
	return ""
}

// applies reports whether the build constraints above the package clause hold here.
func applies(source string) bool {
	header, _, _ := strings.Cut(source, "\npackage")
	for _, line := range strings.Split(header, "\n") {
		if expr, err := constraint.Parse(line); err == nil && !expr.Eval(tagHolds) {
			return false
		}
	}
	return true
}

func tagHolds(tag string) bool {
	switch tag {
	case runtime.GOOS, runtime.GOARCH, "gc", "test_run":
		return true
	case "cgo":
		return build.Default.CgoEnabled
	}
	return slices.Contains(build.Default.ReleaseTags, tag) || slices.Contains(build.Default.ToolTags, tag)
}

// splitQuoted splits at spaces that stand in no quotes. Quotes may open within a word, as in -gcflags="-l -m".
func splitQuoted(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, started = c, true
		case quote == 0 && unicode.IsSpace(c):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}

// testGlobs splits globs at spaces; @FILE stands for the words of a file, in which # begins a comment.
func testGlobs(text string) ([]string, error) {
	var globs []string
	for _, word := range strings.Fields(text) {
		file, isFile := strings.CutPrefix(word, "@")
		if !isFile {
			globs = append(globs, word)
			continue
		}
		list, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(list), "\n") {
			line, _, _ = strings.Cut(line, "#")
			globs = append(globs, strings.Fields(line)...)
		}
	}
	return globs, nil
}

// matcher returns a test of names against globs in which * stands for anything and ? for one character; a name
// written in the style of our output files, fixedbugs__bug016, will do.
func matcher(globs []string) (func(name string) bool, error) {
	if len(globs) == 0 {
		return func(string) bool { return true }, nil
	}
	var alternatives []string
	for _, glob := range globs {
		glob = strings.ReplaceAll(strings.TrimSuffix(glob, ".go"), "__", "/")
		expr := strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
		alternatives = append(alternatives, strings.ReplaceAll(expr, `\?`, `.`))
	}
	expr, err := regexp.Compile(`^(` + strings.Join(alternatives, "|") + `)$`)
	if err != nil {
		return nil, fmt.Errorf("TESTS: %v", err)
	}
	return expr.MatchString, nil
}
