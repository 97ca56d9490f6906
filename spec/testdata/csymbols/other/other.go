// Package other imports C symbols that package csymbols uses, too.
package other

// #include <unistd.h>
// int other_counter = 20;
import "C"

var _ = C.getpid

func Pid() int { return int(C.getpid()) }

func Counter() int { return int(C.other_counter) }
