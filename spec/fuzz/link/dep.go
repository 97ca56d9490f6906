// Package dep is what the seeds' programs import.
package dep

type T struct {
	Name string
	Next *T
	List [3]string
}

type I interface{ Do(int) string }

func (t *T) Do(n int) string { return t.Name }

var (
	Table = map[string]int{"a": 1}
	First = &T{Name: "first"}
	Count int
	Empty struct{}
)

func Map[K comparable, V any](k K, v V) map[K]V { return map[K]V{k: v} }

func init() { Count++ }

func Any(n int) any {
	defer func() { Count++ }()
	return &First.List[n]
}
