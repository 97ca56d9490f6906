package host

// #include "runtime.h"
import "C"

import "runtime"

// goloader_runtime_stats tells of memory and goroutines, for who watches the process. It stops the world for some tens
// of microseconds.
//
//export goloader_runtime_stats
func goloader_runtime_stats(out *C.struct_gl_runtime_stats) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.heap_bytes = C.uint64_t(m.HeapAlloc)
	out.heap_objects = C.uint64_t(m.HeapObjects)
	out.system_bytes = C.uint64_t(m.Sys)
	out.allocated_bytes = C.uint64_t(m.TotalAlloc)
	out.next_gc_bytes = C.uint64_t(m.NextGC)
	out.gc_cycles = C.uint64_t(m.NumGC)
	out.gc_pause_ns = C.uint64_t(m.PauseTotalNs)
	if m.NumGC > 0 {
		out.last_pause_ns = C.uint64_t(m.PauseNs[(m.NumGC+255)%256])
	}
	out.goroutines = C.uint64_t(runtime.NumGoroutine())
}
