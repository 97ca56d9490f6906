package host

/*
#include "runtime.h"
*/
import "C"

import "unsafe"

// goloader_threads lists the threads that the runtime knows, at most n; it returns how many there are. C wants to know
// which of a process's threads may be in a library of C's: a thread that the runtime has made is only while a goroutine
// on it has called C, and the goroutine's own frames tell who called. The list is read as the runtime does it in a
// signal handler: without a lock. A thread that ends meanwhile is garbage, and not collected while it is looked at.
//
//export goloader_threads
func goloader_threads(out *C.struct_gl_thread, n C.size_t) C.size_t {
	threads, count := unsafe.Slice(out, n), C.size_t(0)
	for m := *(*unsafe.Pointer)(rt.allm); m != nil; m = *pointerAt(m, rt.m_next) {
		if g0 := *pointerAt(m, rt.m_g0); count < n && g0 != nil {
			threads[count] = C.struct_gl_thread{
				id:         C.uint64_t(*(*uint64)(unsafe.Add(m, rt.m_procid))),
				stack_low:  C.uintptr_t(*wordAt(g0, rt.g_stack)),
				stack_high: C.uintptr_t(*wordAt(g0, rt.g_stack+C.int32_t(word))),
				stack_at:   C.uintptr_t(*wordAt(g0, rt.g_sched_sp)),
				is_foreign: C.int32_t(*(*uint8)(unsafe.Add(m, rt.m_isextra))),
				is_in_c:    *(*C.int32_t)(unsafe.Add(m, rt.m_ncgo)),
			}
		}
		count++
	}
	return count
}
