package serve

import (
	"net/http"
	"sort"
	"sync"
	"time"
)

// known are addresses of which Lua has said that the same handler answers whatever else the request says, until further
// notice. Such a request does not go by Lua. Whoever finds a handler here has entered it before anybody can forget it.
type known struct {
	sync.RWMutex
	m map[address]*target
}

type address struct{ method, host, path string }

const maxKnown = 4096

func addressOf(r *http.Request) address { return address{r.Method, r.Host, r.URL.EscapedPath()} }

// find enters the target of a request, if it is known.
func (k *known) find(r *http.Request) *target {
	k.RLock()
	defer k.RUnlock()
	if len(k.m) == 0 {
		return nil
	}
	t := k.m[addressOf(r)]
	if t != nil {
		t.enter()
	}
	return t
}

func (k *known) add(r *http.Request, t *target) {
	k.Lock()
	defer k.Unlock()
	if k.m == nil || len(k.m) >= maxKnown {
		k.m = map[address]*target{}
	}
	k.m[addressOf(r)] = t
}

// Unlearn has all requests go by Lua again.
func Unlearn(number int) {
	k := &serverOf(number).known
	k.Lock()
	k.m = nil
	k.Unlock()
}

// ---- figures ----------------------------------------------------------------------------------------------------

// Tally is how often a handler has answered with a status, in about the same time.
type Tally struct {
	Handler, Status int
	Bucket          int // which of the server's bounds the time is within, from 1
	Count           int
	Seconds         float64 // altogether
}

type tallies struct {
	sync.Mutex
	bounds []float64
	m      map[tallyKey]*Tally
}

type tallyKey struct{ handler, status, bucket int }

func (l *tallies) add(handler, status int, took time.Duration) {
	n := took.Seconds()
	key := tallyKey{handler, status, 1 + sort.SearchFloat64s(l.bounds, n)}
	l.Lock()
	defer l.Unlock()
	t := l.m[key]
	if t == nil {
		if l.m == nil {
			l.m = map[tallyKey]*Tally{}
		}
		t = &Tally{Handler: key.handler, Status: key.status, Bucket: key.bucket}
		l.m[key] = t
	}
	t.Count++
	t.Seconds += n
}

// Tallies returns what handlers have answered since the last time.
func Tallies(number int) []Tally {
	l := &serverOf(number).tallies
	l.Lock()
	defer l.Unlock()
	var list []Tally
	for _, t := range l.m {
		list = append(list, *t)
	}
	l.m = nil
	return list
}
