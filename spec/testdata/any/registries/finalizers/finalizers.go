package finalizers

import "runtime"

type big struct {
	next *big
	data [64]int
}

var (
	kept *big
	gone = make(chan bool, 100)
)

func made() *big {
	b := &big{}
	runtime.SetFinalizer(b, func(*big) { gone <- true })
	return b
}

// Keep holds on to an object with a finalizer, and Drop lets go of it.
func Keep() { kept = made() }
func Drop() { kept = nil }

// Waste makes garbage with finalizers.
func Waste(n int) {
	for i := 0; i < n; i++ {
		made()
	}
}
