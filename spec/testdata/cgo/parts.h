#ifndef PARTS_H
#define PARTS_H

#include <stdint.h>

struct point {
	double x, y;
};

union number {
	double d;
	uint64_t bits;
};

typedef int (*function)(int);

#ifdef __cplusplus
extern "C" {
#endif

extern int calls;

char *upper(const char *s);
int negated(int x);
int apply(function f, int x);
int forty_two(void);
int count_words(const char *s);
const char *thrown(void);
int next_from_parts(void);

int call_go(int x);
function go_function(void);
char *text_of_go(int n);
int go_deeper(int n);
void call_panic(void);
void each(uintptr_t handle, int n);
void run_threads(uintptr_t handle, int n);
char *call_trace(void);
void take(void *p);

void wait_here(void);
void wait_until_waiting(void);
void release(void);

#ifdef __cplusplus
}
#endif

#endif
