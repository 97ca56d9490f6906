/* The signal handler for faults in copies (see faults.h). */
#include "faults.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "room.h"

#if defined(__x86_64__)

/* A copy is no Go code to the runtime, and who runs it has no goroutine at work: what Go is sent for its own purposes
 * meanwhile, SIGURG to preempt and SIGPROF, its handler leaves alone (runtime/signal_unix.go, sigtrampgo: g is nil or
 * its m is in C; preempt.go, isAsyncSafePoint). A fault it would take for one of C's. So ours comes first, and hands on
 * what is not its own. */
static _Atomic(struct region *) regions;
static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE };
static struct sigaction before[sizeof(fault_signals) / sizeof(fault_signals[0])];

static bool caught[sizeof(fault_signals) / sizeof(fault_signals[0])];

static void chain(int sig, siginfo_t *info, void *context)
{
	for (size_t i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++) {
		if (fault_signals[i] != sig) {
			continue;
		}
		if (before[i].sa_flags & SA_SIGINFO) {
			before[i].sa_sigaction(sig, info, context);
		} else if (before[i].sa_handler == SIG_DFL) {
			signal(sig, SIG_DFL); /* it faults again, and ends the process */
		} else if (before[i].sa_handler != SIG_IGN) {
			before[i].sa_handler(sig);
		}
	}
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], at = (uintptr_t)info->si_addr;
	enum { DIRECTION = 1 << 10 };
	enum gl_pure_status status = sig == SIGFPE ? GL_PURE_DIVIDE : GL_PURE_NIL;

	for (struct region *r = atomic_load(&regions); r != NULL; r = r->next) {
		if (pc >= atomic_load(&r->low) && pc < atomic_load(&r->high)) {
			if (*(const uint8_t *)pc == HLT) {
				status = GL_PURE_PANIC;
			} else if (sig == SIGSEGV && at >= r->guard_low && at < r->guard_high) {
				status = GL_PURE_DEEP;
			}
			*r->status = status;
			uc->uc_mcontext.gregs[REG_RIP] = (greg_t)r->fail;
			uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)DIRECTION;
			return;
		}
	}
	chain(sig, info, context);
}

/* Go's handler may have been set anew since (os/signal does that), so this looks each time. */
int pure_catch_faults(struct gl_error *err)
{
	for (size_t i = 0; i < sizeof(fault_signals) / sizeof(fault_signals[0]); i++) {
		struct sigaction now, ours = { .sa_sigaction = on_fault };
		if (sigaction(fault_signals[i], NULL, &now) != 0) {
			return gl_fail(err, GL_EHOST, "sigaction: %s", strerror(errno));
		}
		if (now.sa_sigaction == on_fault || (caught[i] && now.sa_sigaction != before[i].sa_sigaction)) {
			continue; /* in the second case somebody has come since, who will pass on what isn't his */
		}
		before[i] = now;
		caught[i] = true;
		ours.sa_mask = now.sa_mask;
		ours.sa_flags = (now.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
		if (sigaction(fault_signals[i], &ours, NULL) != 0) {
			return gl_fail(err, GL_EHOST, "sigaction: %s", strerror(errno));
		}
	}
	return 0;
}

struct region *pure_region_new(void)
{
	for (struct region *r = atomic_load(&regions); r != NULL; r = r->next) {
		if (atomic_load(&r->high) == 0) {
			return r;
		}
	}
	struct region *r = calloc(1, sizeof(*r));
	if (r != NULL) {
		r->next = atomic_load(&regions);
		atomic_store(&regions, r);
	}
	return r;
}

void pure_region_set(struct region *r, uintptr_t low, uintptr_t high)
{
	/* empty while it changes */
	atomic_store(&r->low, UINTPTR_MAX);
	atomic_store(&r->high, high);
	atomic_store(&r->low, low);
}

void pure_region_clear(struct region *r)
{
	atomic_store(&r->low, UINTPTR_MAX);
	atomic_store(&r->high, 0);
}

#endif
