#include <stdlib.h>
#include <threads.h>

/* -fvisibility=hidden (csymbols.go): none of these is in the library's table for the dynamic linker. */
int hidden_counter = 5;
int common_counter; /* -fcommon */
int hidden_function(int n) { return n + hidden_counter; }
int (*hidden_pointer)(int) = hidden_function;
__attribute__((weak)) int weak_counter = 7;
_Thread_local int local_counter = 8;
int next_local(void) { return ++local_counter; }
const char table[1 << 20] = { [1000000] = 42 };

static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 9; }
int is_constructed(void) { return constructed; }
