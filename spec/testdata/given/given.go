// Package given has interfaces, and types whose values implement them as tables of Lua.
package given

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

type Labeler interface{ Label() string }

// Item implements Labeler itself, Box by a pointer.
type Item struct {
	Name string
	Tags []string `json:"tags,omitempty"`
	In   *Item    `json:"in,omitempty"`
}

func (i Item) Label() string { return "item " + i.Name }

func (i Item) MarshalText() ([]byte, error) { return []byte(i.Name), nil }

type Box struct {
	N     int       `json:"n"`
	Since time.Time `json:"since"`
	Holds Labeler   `json:"holds"`
	Any   any       `json:"any"`
}

func (b *Box) Label() string { b.N++; return fmt.Sprint("box ", b.N) }

// Trouble is an error.
type Trouble struct{ Code int }

func (t Trouble) Error() string { return fmt.Sprint("trouble ", t.Code) }

type Names map[string]int

func (n Names) Label() string { return fmt.Sprint(len(n), " names") }

// Hook has a function, which no table that is only data gives to Go.
type Hook struct{ Run func() }

func (Hook) Label() string { return "hook" }

func NewItem(name string) Item { return Item{Name: name} }

func NewBox(n int) Box { return Box{N: n, Since: time.Unix(0, 0).UTC()} }

func NewTrouble(code int) Trouble { return Trouble{code} }

func NewNames() Names { return Names{"a": 1, "b": 2} }

func NewHook() Hook { return Hook{} }

func Header() http.Header { return http.Header{"Accept": {"text/html"}} }

var Kept Labeler

func Label(l Labeler) string { return l.Label() }

func Type(v any) string { return fmt.Sprintf("%T", v) }

func Text(v any) string { return fmt.Sprint(v) }

func JSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func All(list ...Labeler) string {
	var b strings.Builder
	for _, l := range list {
		b.WriteString(l.Label() + ";")
	}
	return b.String()
}

func Map(m map[string]Labeler) string { return m["a"].Label() }

func Code(err error) int {
	var t Trouble
	if errors.As(err, &t) {
		return t.Code
	}
	return -1
}

// Back labels what a Lua function returns.
func Back(f func() Labeler) string { return f().Label() }

func Pipe() chan Labeler { return make(chan Labeler, 1) }
