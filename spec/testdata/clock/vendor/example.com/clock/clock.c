#include "_cgo_export.h"
int ticks;
int tick(void) { return goTick(++ticks); }
