/* A host that was built with the race detector: a program that is its own host (in a library there can be none, the
 * detector's memory would lie where the process has other things).
 *
 * Compiled code calls the runtime for each access to memory, which asks the detector about addresses that Go's heap or
 * the program's variables have (runtime/race_amd64.s, racecalladdr), and about no others. What it knows of a place lies
 * at a distance that follows from its address, in memory that is mapped for those when the program starts
 * (runtime.raceinit, racemapshadow); the detector maps more of it only towards higher addresses, as Go's heap grows
 * (MapShadow in compiler-rt/lib/tsan/rtl/tsan_rtl.cpp). A module's variables are in the arena, between the program and
 * the heap. So the memory for the arena is mapped here, and the arena added to the heap, by the variable that says
 * where that begins. Between both nobody has memory.
 *
 * The distances are those of MappingGo48 (tsan_platform.h), as Go has them since 1.19. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const uintptr_t shadow = 0x200000000000, meta = 0x300000000000, highest = 0x00e000000000;

static uintptr_t shadow_of(uintptr_t addr) { return shadow + 2 * (addr & ~(uintptr_t)7); }
static uintptr_t meta_of(uintptr_t addr) { return meta + (addr & ~(uintptr_t)7) / 2; }

static bool map_at(uintptr_t low, uintptr_t high)
{
	void *p = mmap((void *)low, high - low, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED) {
		return false;
	}
	if ((uintptr_t)p != low) {
		munmap(p, high - low); /* a kernel that takes the address for a hint */
		errno = EEXIST;
		return false;
	}
	madvise(p, high - low, MADV_DONTDUMP);
	return true;
}

int host_share_race_detector(struct gl_host *host, uintptr_t arenastart, uintptr_t dataend, struct gl_error *err)
{
	uintptr_t low = gl_arena_low(host->linker.arena), high = gl_arena_high(host->linker.arena), end;

	if (arenastart == 0 || dataend == 0) {
		return 0;
	}
	memcpy(&end, (const void *)dataend, sizeof(end));
	if (low < end || high > highest || !map_at(shadow_of(low), shadow_of(high)) ||
	    !map_at(meta_of(low), meta_of(high))) {
		return gl_fail(err, GL_EHOST,
			       "%s was built with -race, and the race detector can't watch loaded code: %s", host->path,
			       low < end || high > highest ? "it lies elsewhere" : strerror(errno));
	}
	__atomic_store_n((uintptr_t *)arenastart, low, __ATOMIC_RELAXED);
	host->linker.has_race = true;
	return 0;
}

static void forget(const uint8_t *p, size_t size)
{
	uintptr_t at = (uintptr_t)p;

	if (size > 0) {
		memset((void *)shadow_of(at), 0, 2 * size);
		memset((void *)meta_of(at), 0, size / 2);
	}
}

void module_begin_race_detection(const struct gl_module *mod)
{
	const uint8_t *data = mod->base + mod->text_pages;

	if (mod->host->linker.has_race) {
		forget(data, mod->size - mod->text_pages);
		forget(mod->variables, mod->variables_size);
	}
}
