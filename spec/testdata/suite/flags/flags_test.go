package flags

import (
	"testing"
	"time"
)

var (
	tagged  bool
	version = "none"
)

func TestTagged(t *testing.T) { t.Logf("tagged: %v", tagged) }

func TestVersion(t *testing.T) { t.Logf("version: %s", version) }

// go.mod says 1.21: channels of timers are buffered, and panic(nil) is no nil. Both are for GODEBUG to say.
func TestDefaults(t *testing.T) {
	timer := time.NewTimer(time.Nanosecond)
	time.Sleep(time.Millisecond)
	t.Logf("capacity: %d", cap(timer.C))
	defer func() { t.Logf("recovered: %v", recover()) }()
	panic(nil)
}
