/* Places that bpftrace, perf and others can be told of as "goloader:load" (USDT, of SystemTap's sys/sdt.h): each is a
 * nop in the code and a note in the file, which says where it is and in which registers its arguments are. Arguments
 * are therefore what is at hand: nothing is computed for them. Where that header was not there at the build, there is
 * nothing.
 *
 *     load     the last file of a load that begins, the number of files
 *     publish  what was loaded: its name, where its code begins, bytes of code
 *     unload   what goes: its name, where its code began
 *     refusal  a module's name or file, the message that the caller gets
 *     call     through Lua's C API: the function's name, the address of its code
 *
 * Calls that LuaJIT compiles go from its code right into Go's or the function's own: there is no place in C for them.
 */
#ifndef GL_PROBES_H
#define GL_PROBES_H

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define GL_HAS_PROBES 1
#endif
#endif

#ifdef GL_HAS_PROBES
#define GL_PROBE2(name, a, b) DTRACE_PROBE2(goloader, name, a, b)
#define GL_PROBE3(name, a, b, c) DTRACE_PROBE3(goloader, name, a, b, c)
#else
#define GL_PROBE2(name, a, b) ((void)0)
#define GL_PROBE3(name, a, b, c) ((void)0)
#endif

#endif
