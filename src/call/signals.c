/* Signal handlers and Go's stacks.
 *
 * A goroutine's stack may have less room than a signal's frame alone takes, so that every handler in a process with Go
 * must ask for a stack of its own, by SA_ONSTACK; what lies below the goroutine's stack is overwritten otherwise. The
 * runtime adds the flag to the handlers that it finds when it starts (initsig in runtime/signal_unix.go). A handler
 * that is installed later, without the flag, is looked for here: LuaJIT's profiler has one, and luajit's own SIGINT
 * handler is installed anew with every line that is typed. */
#include <signal.h>

#include "call.h"

void gl_signals_use_stacks(void)
{
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction now;

		/* those that glibc keeps to itself can't be asked for */
		if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN &&
		    (now.sa_flags & SA_ONSTACK) == 0) {
			now.sa_flags |= SA_ONSTACK;
			sigaction(sig, &now, NULL);
		}
	}
}
