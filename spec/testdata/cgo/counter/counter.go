// Package counter counts in C.
package counter

/*
static int count;
int counter_next(void) { return ++count; }
*/
import "C"

func Next() int { return int(C.counter_next()) }
