// Package clock counts in C, and adds in Go.
package clock

/*
extern int ticks;
extern int goTick(int);
int tick(void);
*/
import "C"

var Offset = 100

//export goTick
func goTick(n C.int) C.int { return n + C.int(Offset) }

func Tick() int { return int(C.tick()) }
