// Package registry has variables that consist of two: a pointer, and what it points to, which init fills.
package registry

type Table struct {
	entries map[string]int
	next    *Table
}

var (
	Defaults  = &Table{entries: make(map[string]int), next: &Table{entries: map[string]int{"built in": len(word)}}}
	callbacks = []func(string) int{Defaults.Len, func(w string) int { return len(w) }}
	word      = "registry"
)

func (t *Table) Put(name string, n int) { t.entries[name] = n }

func (t *Table) Get(name string) int {
	if n, ok := t.entries[name]; ok || t.next == nil {
		return n
	}
	return t.next.Get(name)
}

func (t *Table) Len(string) int { return len(t.entries) }

// Version needs nothing of all that.
func Version() string { return "v1.0.0 of " + word }

// Lengths is what the callbacks say of a word.
func Lengths(w string) []int {
	var lengths []int
	for _, callback := range callbacks {
		lengths = append(lengths, callback(w))
	}
	return lengths
}
