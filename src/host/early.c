/* What must be done before the first instruction of Go's.
 *
 * The runtime lets no thread block SIGCHLD (runtime.sigtable has the flag _SigUnblock for it, since Go 1.0's os/exec),
 * and where any thread takes it, none of Go's has to. In a process that has Go as a library it is for the thread that
 * had it: nginx's handler must run there, and C's system() relies on it that a signal which it blocks goes nowhere
 * else.
 *
 * The dynamic linker calls constructors with a priority first, and Go's, which starts the runtime, without one later.
 * Who loads the library blocks the signals that Go's threads are to leave alone (src/process/signals.c): a program that
 * is Go's from the beginning does not, and nothing changes for it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>

/* runtime.sigTabT */
struct entry {
	int32_t flags;
	struct {
		const char *p;
		intptr_t n;
	} name;
};

__attribute__((constructor(101))) static void leave_children(void)
{
	static const int32_t notify = 1, unblock = 128, ignore = 256; /* _SigNotify and others, Go 1.21 to 1.27 */
	struct entry *table;
	sigset_t mask;
	Dl_info self;
	void *library;

	if (sigprocmask(SIG_BLOCK, NULL, &mask) != 0 || !sigismember(&mask, SIGCHLD) ||
	    dladdr((void *)leave_children, &self) == 0) {
		return;
	}
	library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	if (library == NULL) {
		return; /* the program itself */
	}
	table = dlsym(library, "runtime.sigtable");
	if (table != NULL && table[SIGCHLD].flags == (notify | unblock | ignore)) {
		table[SIGCHLD].flags &= ~unblock;
	}
	dlclose(library);
}
