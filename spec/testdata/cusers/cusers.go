// Package cusers has C hold on to its code in all the ways there are.
package cusers

/*
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern void calledByThread(void);

static volatile int stop, seen, entered;
static pthread_t thread;

// Where the machine is busy a thread that has woken up waits for a processor, which is not to be told from computing.
static inline __attribute__((always_inline)) void wait_to_stop(void) {
	entered = 1;
	while (!stop) usleep(50000);
}

static void *sleeper(void *arg) {
	wait_to_stop();
	return arg;
}

static void *computer(void *arg) {
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, 0);
	entered = 1;
	while (!stop) seen++;
	return arg;
}

static void *caller(void *arg) {
	while (!stop) {
		calledByThread();
		entered = 1;
	}
	return arg;
}

static int compare(const void *a, const void *b) {
	wait_to_stop();
	return 0;
}

static void *sorter(void *arg) {
	int numbers[2] = { 2, 1 };
	qsort(numbers, 2, sizeof(int), compare);
	return arg;
}

static void start(void *(*f)(void *)) {
	stop = entered = 0;
	pthread_create(&thread, 0, f, 0);
	while (!entered) usleep(1000);
	usleep(20000);
}
static void start_sleeper(void) { start(sleeper); }
static void start_computer(void) { start(computer); }
static void start_caller(void) { start(caller); }
static void start_sorter(void) { start(sorter); }
static void end(void) {
	stop = 1;
	pthread_join(thread, 0);
}

static void handler(int sig) { seen++; }
static void handle(int sig) {
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	sigaction(sig, &sa, 0);
}
static void *stop_at(void) { return (void *)&stop; }
static void *handler_at(void) { return (void *)handler; }
static void unhandle(int sig) { signal(sig, SIG_DFL); }

static int out;
static void tell(int fd, const char *what, size_t n) { if (write(fd, what, n) < 0) abort(); }

static void destructor(void *p) { tell((int)(long)p, "destroyed ", 10); }
static int key_of(int fd) {
	static pthread_key_t key;
	pthread_key_create(&key, destructor);
	return pthread_setspecific(key, (void *)(long)fd);
}

static void fired(union sigval v) { tell(v.sival_int, "fired ", 6); }
static void fire_later(int fd, long ms) {
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = fired, .sigev_value.sival_int = fd };
	struct itimerspec when = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };
	timer_t t;
	timer_create(CLOCK_MONOTONIC, &e, &t);
	timer_settime(t, 0, &when, 0);
}

static void at_exit(void) { tell(out, "exited ", 7); }
static void tell_at_exit(int fd) { out = fd; atexit(at_exit); }
*/
import "C"

import "time"

//export calledByThread
func calledByThread() { time.Sleep(50 * time.Millisecond) }

func Sleep()   { C.start_sleeper() }
func Compute() { C.start_computer() }
func Call()    { C.start_caller() }
func Sort()    { C.start_sorter() }
func End()     { C.end() }

func Handle(sig int)   { C.handle(C.int(sig)) }
func Unhandle(sig int) { C.unhandle(C.int(sig)) }

func Key(fd int)        { C.key_of(C.int(fd)) }
func Fire(fd, ms int)   { C.fire_later(C.int(fd), C.long(ms)) }
func TellAtExit(fd int) { C.tell_at_exit(C.int(fd)) }

// StopAt is where the threads look whether to end.
func StopAt() uintptr { return uintptr(C.stop_at()) }

// AfterHandler is one byte after where a function of C's lies: Lua and C, which carry it, don't have the address itself.
func AfterHandler() uintptr { return uintptr(C.handler_at()) + 1 }
