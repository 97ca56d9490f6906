/* Machine code (see asm.h). */
#include "asm.h"

#include <string.h>

#if defined(__x86_64__)

void put_bytes(struct text *t, const void *bytes, size_t n)
{
	if (n > sizeof(t->bytes) - t->n) {
		t->failed = true;
		return;
	}
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
}

void put_32(struct text *t, int64_t n)
{
	int32_t word = (int32_t)n;

	t->failed |= word != n;
	put_bytes(t, &word, sizeof(word));
}

void put_64(struct text *t, uint64_t n) { put_bytes(t, &n, sizeof(n)); }

void put_offset(struct text *t, uintptr_t to, size_t behind)
{
	put_32(t, (int64_t)(to - ((uintptr_t)t->at + t->n + 4 + behind)));
}

void put_offset_of(struct text *t, const void *to) { put_offset(t, (uintptr_t)to, 0); }

void put_jump(struct text *t, uintptr_t to)
{
	PUT(t, 0xe9);
	put_offset(t, to, 0);
}

void put_push(struct text *t, int reg)
{
	if (reg >= 8) {
		PUT(t, 0x41);
	}
	PUT(t, (uint8_t)(0x50 | (reg & 7)));
}

void put_pop(struct text *t, int reg)
{
	if (reg >= 8) {
		PUT(t, 0x41);
	}
	PUT(t, (uint8_t)(0x58 | (reg & 7)));
}

void put_move(struct text *t, int to, int from)
{
	PUT(t, (uint8_t)(0x48 | (from >= 8 ? 4 : 0) | (to >= 8 ? 1 : 0)), 0x89,
	    (uint8_t)(0xc0 | (from & 7) << 3 | (to & 7)));
}

void put_store(struct text *t, int reg, const void *at)
{
	PUT(t, (uint8_t)(reg >= 8 ? 0x4c : 0x48), 0x89, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

void put_load(struct text *t, int reg, const void *at)
{
	PUT(t, (uint8_t)(reg >= 8 ? 0x4c : 0x48), 0x8b, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

void put_store_float(struct text *t, int reg, const void *at)
{
	PUT(t, 0xf2);
	if (reg >= 8) {
		PUT(t, 0x44);
	}
	PUT(t, 0x0f, 0x11, (uint8_t)(0x05 | (reg & 7) << 3));
	put_offset_of(t, at);
}

void put_plain_nan(struct text *t, int reg, bool single, const void *nan)
{
	uint8_t both = (uint8_t)(0xc0 | (reg & 7) << 3 | (reg & 7)), one = (uint8_t)(0x05 | (reg & 7) << 3);

	if (!single) {
		PUT(t, 0x66);
	}
	if (reg >= 8) {
		PUT(t, 0x45, 0x0f, 0x2e, both, 0x7b, 9);
		PUT(t, single ? 0xf3 : 0xf2, 0x44, 0x0f, 0x10, one);
	} else {
		PUT(t, 0x0f, 0x2e, both, 0x7b, 8);
		PUT(t, single ? 0xf3 : 0xf2, 0x0f, 0x10, one);
	}
	put_offset_of(t, nan);
}

void put_spill_float(struct text *t, int reg, uint8_t off, bool back)
{
	PUT(t, 0xf2);
	if (reg >= 8) {
		PUT(t, 0x44);
	}
	PUT(t, 0x0f, back ? 0x10 : 0x11, (uint8_t)(0x44 | (reg & 7) << 3), 0x24, off);
}

#endif
