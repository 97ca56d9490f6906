/* What a call of C by FFI costs: the least that any road can. */
#include <stddef.h>

ptrdiff_t add(ptrdiff_t a, ptrdiff_t b);

ptrdiff_t add(ptrdiff_t a, ptrdiff_t b) { return a + b; }
