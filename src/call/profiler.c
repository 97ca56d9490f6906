/* LuaJIT's profiler beside Go's.
 *
 * Both want SIGPROF and the process's one timer for it (lj_profile.c; runtime/signal_unix.go, setProcessCPUProfiler):
 * whoever starts later takes them, and the other has no samples. So LuaJIT's handler, which does not care what signal
 * it gets, is given a signal and a timer of its own, and SIGPROF is left as it was found. The timer goes by the time of
 * the thread that runs Lua, and the signal is sent there: what Go's threads do beside it is none of Lua's.
 *
 * LuaJIT stops its profiler when the Lua state is closed, too, and its handler must not run any more then. Nobody is
 * told, but LuaJIT puts back what was there for SIGPROF before: as long as that is not there, the profiler runs.
 * Meanwhile a function of ours is, which hands on to what it stands for; Go's runtime, when it profiles, takes its
 * place and gives it back. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "profiler.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* A process has one such profiler: LuaJIT's is global, too. */
static struct {
	int signal; /* 0: it does not run, or as LuaJIT has set it up */
	timer_t timer;
	struct sigaction luajit; /* LuaJIT's handler */
	struct sigaction before; /* what LuaJIT has found for SIGPROF */
	struct itimerval time;   /* and the timer's */
	/* What others have for SIGPROF, and their time, while LuaJIT stops its profiler. */
	struct sigaction others;
	struct itimerval others_time;
} profiler;

static bool is_handler(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* Handles SIGPROF while LuaJIT profiles, as it was handled before. */
static void stand_in(int sig, siginfo_t *info, void *context)
{
	if (!is_handler(&profiler.before)) {
		return;
	}
	if (profiler.before.sa_flags & SA_SIGINFO) {
		profiler.before.sa_sigaction(sig, info, context);
	} else {
		profiler.before.sa_handler(sig);
	}
}

static void tick(int sig, siginfo_t *info, void *context)
{
	struct sigaction now;

	if (sigaction(SIGPROF, NULL, &now) != 0 || now.sa_sigaction == profiler.before.sa_sigaction) {
		return; /* it has stopped */
	}
	if (profiler.luajit.sa_flags & SA_SIGINFO) {
		profiler.luajit.sa_sigaction(sig, info, context);
	} else {
		profiler.luajit.sa_handler(sig);
	}
}

/* A signal that nobody uses; 0 when there is none. */
static int free_signal(void)
{
	for (int sig = SIGRTMAX; sig > SIGRTMIN; sig--) {
		struct sigaction action;

		if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
			return sig;
		}
	}
	return 0;
}

static void stop(void)
{
	if (profiler.signal != 0) {
		timer_delete(profiler.timer);
		signal(profiler.signal, SIG_IGN); /* what is on its way is dropped */
		signal(profiler.signal, SIG_DFL);
		profiler.signal = 0;
	}
}

/* The signal goes to this thread, as often as the process's timer would send SIGPROF. */
static bool start_timer(int sig, const struct timeval *interval)
{
	struct timespec every = { .tv_sec = interval->tv_sec, .tv_nsec = interval->tv_usec * 1000 };
	struct itimerspec spec = { .it_interval = every, .it_value = every };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = sig };
	sigset_t set;

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &profiler.timer) != 0) {
		return false;
	}
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (timer_settime(profiler.timer, 0, &spec, NULL) != 0) {
		timer_delete(profiler.timer);
		return false;
	}
	return true;
}

void gl_profiler_starts(void)
{
	struct sigaction now;

	stop();
	sigaction(SIGPROF, NULL, &now);
	if (now.sa_sigaction == stand_in) {
		return; /* started twice: LuaJIT stops the one that runs, which puts back what was there before */
	}
	profiler.before = now;
	if (profiler.before.sa_handler == SIG_DFL) {
		/* LuaJIT will put back what it finds, and one of Go's threads may get the signal at that moment */
		signal(SIGPROF, SIG_IGN);
		sigaction(SIGPROF, NULL, &profiler.before);
	}
	getitimer(ITIMER_PROF, &profiler.time);
}

static void take_over(void)
{
	struct sigaction ticks = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct sigaction stands = { .sa_sigaction = stand_in, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct itimerval time;
	int sig = free_signal();

	if (sig == 0 || sigaction(SIGPROF, NULL, &profiler.luajit) != 0 || getitimer(ITIMER_PROF, &time) != 0 ||
	    !is_handler(&profiler.luajit) || (time.it_interval.tv_sec | time.it_interval.tv_usec) == 0) {
		return;
	}
	sigaction(sig, &ticks, NULL);
	if (!start_timer(sig, &time.it_interval)) {
		signal(sig, SIG_DFL);
		return;
	}
	profiler.signal = sig;
	setitimer(ITIMER_PROF, &profiler.time, NULL);
	sigaction(SIGPROF, &stands, NULL);
}

void gl_profiler_started(void) { take_over(); }

void gl_profiler_was_started(void)
{
	profiler.before = (struct sigaction){ .sa_handler = SIG_DFL };
	profiler.time = (struct itimerval){ 0 };
	take_over();
}

void gl_profiler_stops(void)
{
	sigaction(SIGPROF, NULL, &profiler.others);
	getitimer(ITIMER_PROF, &profiler.others_time);
}

void gl_profiler_stopped(void)
{
	stop();
	if (profiler.others.sa_sigaction != stand_in) {
		sigaction(SIGPROF, &profiler.others, NULL);
	}
	setitimer(ITIMER_PROF, &profiler.others_time, NULL);
}
