package host

/*
#include <stdlib.h>
#include "job.h"

static void release_jobs(struct gl_jobs *jobs) { jobs->release(jobs); }
*/
import "C"

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"goloader.dev/host/internal/enter"
)

// A job is a call in a goroutine of its own. Its arguments are decoded before goloader_job_start returns, since they
// lie in memory that Lua wants back; its results are written to memory of C's, and C finds the job on a list.
//
// Starting and finishing must be cheap beside the goroutine itself: jobs are taken from a pool, nothing is locked, and
// nobody is woken who does not sleep.
type job struct {
	// where the function's code begins: first, as in a closure, so that a proof sees a job that has not yet begun (its
	// module may have lost its Lua state, and C counts its jobs no more)
	addr  unsafe.Pointer
	c     *C.struct_gl_job
	plan  *plan
	regs  enter.Regs
	stack unsafe.Pointer
	scope *scope
	out   writer
	done  bool
}

var jobPool = sync.Pool{New: func() any { return new(job) }}

// cancels holds what ends the contexts of the jobs under way that have any.
var cancels = struct {
	sync.Mutex
	last uint64
	m    map[uint64]context.CancelFunc
}{m: map[uint64]context.CancelFunc{}}

// goloader_job_start has the job's call begin, unless it refuses an argument.
//
//export goloader_job_start
func goloader_job_start(c *C.struct_gl_job) {
	j := jobPool.Get().(*job)
	defer func() {
		if r := recover(); r != nil {
			if j.scope != nil {
				j.scope.end()
			}
			ended(r, &c.status, &c.out)
		}
	}()
	j.c, j.plan, j.addr = c, planOf(c.plan), c.addr
	in := reader{w: unsafe.Slice(c.in.p, c.in.len)}
	if j.plan.scoped {
		j.scope = newJobScope()
		in.scope = j.scope
	}
	j.stack = j.plan.decodeParams(&in, &j.regs)
	if j.scope != nil && j.scope.contexts > 0 {
		cancels.Lock()
		cancels.last++
		c.cancel = C.uint64_t(cancels.last)
		cancels.m[cancels.last] = j.scope.cancel
		cancels.Unlock()
	}
	c.refused = 0
	go j.run()
}

func (j *job) run() {
	defer j.end()
	j.plan.enter(j.addr, nil, &j.regs, j.stack)
	j.out = writer{buffer: &j.c.out}
	j.plan.encodeResults(&j.out, &j.regs, j.stack, bool(j.c.keep))
	j.out.tail()
	j.done = true
}

// end is deferred around the call. That runtime.Goexit ends this goroutine is as it should be.
func (j *job) end() {
	defer j.post()
	if j.done {
		return
	}
	j.c.status = C.GL_CALL_EXITED
	if r := recover(); r != nil {
		ended(r, &j.c.status, &j.c.out)
	}
	j.out.end(&j.done)
	j.out.handles = nil
}

// post lets C know that the job has finished. What the job held of the module is forgotten before. Whether it holds the
// module still is told apart from its being on the list: who unloads the module may be another Lua state than the one
// that takes the list, and that one may be idle.
func (j *job) post() {
	raceEnd()
	c, scope, held := j.c, j.scope, j.out.handles
	*j = job{}
	jobPool.Put(j)
	if scope != nil {
		if c.cancel != 0 {
			cancels.Lock()
			delete(cancels.m, uint64(c.cancel))
			cancels.Unlock()
		}
		scope.end()
	}
	if atomic.SwapUint32((*uint32)(&c.fate), C.GL_JOB_FINISHED) == C.GL_JOB_DROPPED {
		release(held)
		c.out.nhandles = 0
	}
	if atomic.AddUint32((*uint32)(c.under_way), ^uint32(0)) == 0 {
		C.free(unsafe.Pointer(c.under_way))
	}

	jobs := c.jobs
	done := (*uintptr)(unsafe.Pointer(&jobs.done))
	for {
		last := atomic.LoadUintptr(done)
		if last == C.GL_JOBS_CLOSED {
			if atomic.AddInt64((*int64)(&jobs.left), -1) == 0 {
				C.release_jobs(jobs)
			}
			return
		}
		c.next = C.uintptr_t(last)
		if atomic.CompareAndSwapUintptr(done, last, uintptr(unsafe.Pointer(c))) {
			break
		}
	}
	// C may have taken the job already, and closed its Lua state: jobs stays for the next one.
	armed := (*uint32)(&jobs.armed)
	if atomic.LoadUint32(armed) != 0 && atomic.SwapUint32(armed, 0) != 0 {
		one := uint64(1)
		syscall.RawSyscall(syscall.SYS_WRITE, uintptr(jobs.fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	}
}

// goloader_job_cancel cancels the context of a job, if it is under way still.
//
//export goloader_job_cancel
func goloader_job_cancel(c *C.struct_gl_job) {
	cancels.Lock()
	cancel := cancels.m[uint64(c.cancel)]
	cancels.Unlock()
	if cancel != nil {
		cancel()
	}
}
