// Package seed is what the fuzzers start from: small, and with an example of most things that an object holds.
package seed

type T struct {
	A, B int
	Next *T `json:"next,omitempty"`
}

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

type Shape interface {
	Area() float64
	private()
}

var (
	Table = map[string]T{"a": {A: 1}}
	Count int
)

func (t *T) Area() float64 { return float64(t.A * t.B) }
func (t *T) private()      {}

//go:noinline
func Sum(a int, b ...string) (T, error) {
	for _, s := range b {
		a += len(s)
	}
	return T{A: a, B: half(1)}, nil
}

func half(n int) int { return n / 2 }

func Apply(f func(int) T, s Shape, _ chan<- Pair[string, []T]) (n int) {
	defer func() { recover() }()
	f(1)
	return int(s.Area())
}

func Shapes() []Shape { return []Shape{&T{A: 2, B: 3}} }

const (
	Yes    = true
	Text   = "text\x00"
	Large  = 1<<70 + 1
	Tenth  = 0.1
	Googol = 1e5000
	Turn   = 0.5 - 2i
)

type Tree[T interface{ ~int | ~string }] struct {
	Left, Right *Tree[T]
	Value       T `tag:"value"`
}

func (t *Tree[T]) Insert(value T) *Tree[T] { return t }

type Ints = Tree[int]

func Keys[M ~map[K]V, K comparable, V any](m M) (keys []K) { return nil }
