#include "signals.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Faults, which the thread that makes them has to handle; what Go's scheduler interrupts goroutines with; and
 * profilers' signals, which are about the thread that they are sent to. */
static const int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGURG, SIGPROF };

/* What no thread of a Go program blocks, whatever was blocked when it was started: runtime.blockableSig, by the flags
 * of runtime.sigtable, which are the same from Go 1.21 to 1.27. In a library it takes part of these for blockable. */
static const int never_blocked[] = { SIGHUP, SIGINT,  SIGTERM, SIGQUIT, SIGILL,    SIGTRAP, SIGABRT, SIGBUS,
				     SIGFPE, SIGSEGV, SIGSYS,  SIGCHLD, SIGSTKFLT, SIGPROF, SIGURG };

static uint64_t bits_of(const sigset_t *set)
{
	uint64_t bits = 0;

	for (int sig = 1; sig < NSIG && sig <= 64; sig++) {
		bits |= sigismember(set, sig) == 1 ? UINT64_C(1) << (sig - 1) : 0;
	}
	return bits;
}

void gl_signals_hold(struct gl_signals *before, struct gl_children *children)
{
	struct sigaction pipe;
	sigset_t held, now;

	sigfillset(&held);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		sigdelset(&held, kept[i]);
	}
	pthread_sigmask(SIG_BLOCK, &held, &before->mask);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	/* SIGCHLD even where it was blocked before, as the Lua module of nginx does that has ngx.pipe: a Go program
	 * starts others that take it */
	children->left_alone = (bits_of(&now) & ~bits_of(&before->mask)) | UINT64_C(1) << (SIGCHLD - 1);
	before->pipe_is_ignored = sigaction(SIGPIPE, NULL, &pipe) == 0 && pipe.sa_handler == SIG_IGN;
}

void gl_signals_take(void)
{
	sigset_t taken;

	sigemptyset(&taken);
	for (size_t i = 0; i < sizeof(never_blocked) / sizeof(never_blocked[0]); i++) {
		sigaddset(&taken, never_blocked[i]);
	}
	pthread_sigmask(SIG_UNBLOCK, &taken, NULL);
}

void gl_signals_release(const struct gl_signals *before)
{
	/* Go's runtime takes SIGPIPE even from who ignores it, as nginx does: its own programs die of a broken standard
	 * output. Programs that are started later would not inherit that it is ignored. */
	if (before->pipe_is_ignored) {
		signal(SIGPIPE, SIG_IGN);
	}
	pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}
