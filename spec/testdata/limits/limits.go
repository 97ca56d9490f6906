// Package limits has values of which Lua can't have copies: Go tells them by a few words, Lua would need memory without
// end.
package limits

type Node struct{ Left, Right *Node }

func Square() (s [1 << 20][1 << 20][0]int) { return }

func Empty(n int) []struct{} { return make([]struct{}, n) }

func Array() (a [1 << 40]struct{}) { return }

func Nested() [][1 << 30]struct{} { return make([][1 << 30]struct{}, 1) }

func Any() any { return make([]struct{}, 1<<40) }

func InMap() map[string][]struct{} { return map[string][]struct{}{"a": make([]struct{}, 1<<40)} }

// Shared is a list of depth nodes, each of which leads to the next one twice.
func Shared(depth int) *Node {
	n := &Node{}
	for ; depth > 0; depth-- {
		n = &Node{n, n}
	}
	return n
}

func Take(list []struct{}) int { return len(list) }

// Variables without a size, which have no place of their own.
var (
	Wide   [1 << 40]struct{}
	Deep   [1 << 20][1 << 20][0]int
	Plugin plugin
)

type plugin struct{}

func (plugin) Name() string { return "plugin" }

// Store has a list, and behind it a number.
type Store struct {
	List   []string
	Number int64
}

// Stored is a variable of Lua's.
var Stored Store

// Both takes a list, and behind it a number.
func Both(list []string, number int64) int { return len(list) + int(number) }

// Holder has methods, so that it stays in Go.
type Holder struct{ Stored Store }

// Held is a holder.
func (h *Holder) Held() *Holder { return h }

// Held returns a holder.
func Held() *Holder { return &Holder{} }
