package outside_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"example.com/suite/outside"
)

var answer = flag.Int("answer", 0, "for -args")

func TestMain(m *testing.M) {
	if os.Getenv("SUITE_CHILD") != "" {
		fmt.Println("child")
		os.Exit(7)
	}
	flag.Parse()
	fmt.Println("before", *answer, flag.Args())
	code := m.Run()
	fmt.Println("after")
	os.Exit(code)
}

func TestFile(t *testing.T) {
	data, err := os.ReadFile("testdata/number")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(string(data)); err != nil || outside.Double(n) != 84 {
		t.Fatal(n, err)
	}
}

// A test binary that starts itself again, as tests of programs do.
func TestChild(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{self, os.Args[0]} {
		cmd := exec.Command(program, "-test.run=TestFile")
		cmd.Env = append(os.Environ(), "SUITE_CHILD=1")
		out, err := cmd.CombinedOutput()
		if string(out) != "child\n" || cmd.ProcessState.ExitCode() != 7 {
			t.Fatalf("%q, %v", out, err)
		}
	}
}

func TestTesting(t *testing.T) {
	if !testing.Testing() {
		t.Fatal("testing doesn't know that it does")
	}
}

func ExampleDouble() {
	fmt.Println(outside.Double(4))
	// Output: 8
}

func ExampleDouble_wrong() {
	fmt.Println(outside.Double(4))
	// Output: 9
}
