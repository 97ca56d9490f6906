package inside

import (
	"testing"
	"time"
)

func TestAdd(t *testing.T) {
	if add(1, 2) != 3 {
		t.Fatal("1 + 2 is not 3")
	}
}

func TestTable(t *testing.T) {
	for _, name := range []string{"good", "bad", "skipped"} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "bad":
				t.Error("it is bad")
			case "skipped":
				t.Skip("not today")
			}
		})
	}
}

func TestParallel(t *testing.T) {
	t.Run("group", func(t *testing.T) {
		t.Run("paused", func(t *testing.T) {
			t.Parallel()
			time.Sleep(time.Millisecond)
		})
	})
}

func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	t.Log("it takes long")
}

func BenchmarkAdd(b *testing.B) {
	for i := 0; i < b.N; i++ {
		add(i, i)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(1, 2)
	f.Add(-1, 1)
	f.Fuzz(func(t *testing.T, a, b int) {
		if add(a, b) != add(b, a) {
			t.Fatal("not commutative")
		}
	})
}
