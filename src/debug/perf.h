/* /tmp/perf-PID.map, where perf and others look for names of code that no file has. */
#ifndef GL_DEBUG_PERF_H
#define GL_DEBUG_PERF_H

#include "dwarf.h"

void perf_add(const struct code *code, size_t n);

#endif
