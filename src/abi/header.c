/* Does an object suit the host? Its first line says for what it was compiled:
 *
 *     go object linux amd64 go1.26.8 GOAMD64=v1 X:regabiwrappers,…
 *
 * It must be the host's own (Go's linker demands the same: cmd/link/internal/ld/ld.go), but for one word. GOAMD64 says
 * which instructions the compiler may use; calls, layouts and the runtime are the same at every level, so that a host
 * of one level takes objects of any, if the processor has those instructions. Natively the program asks the processor
 * when it starts (runtime/asm_amd64.s, rt0_go); here the loader does, for each object. */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"

static const char level_word[] = " GOAMD64=v";

/* The level of a header, 0 when it has none; *at and *after are where its word begins and ends. */
static int header_level(const char *header, size_t len, size_t *at, size_t *after)
{
	const char *word = memmem(header, len, level_word, sizeof(level_word) - 1);

	if (word == NULL) {
		return 0;
	}
	const char *digit = word + sizeof(level_word) - 1;
	if (digit == header + len || *digit < '1' || *digit > '9') {
		return 0;
	}
	*at = (size_t)(word - header);
	*after = (size_t)(digit + 1 - header);
	return *digit - '0';
}

/* The highest level of this processor (go.dev/wiki/MinimumRequirements, runtime/asm_amd64.s). */
static int processor_level(void)
{
	const unsigned v2 = 1U << 0 | 1U << 9 | 1U << 13 | 1U << 19 | 1U << 20 | 1U << 23; /* SSE3 … POPCNT */
	const unsigned v3 = 1U << 12 | 1U << 22 | 1U << 27 | 1U << 28 | 1U << 29;          /* FMA, MOVBE, AVX, F16C */
	const unsigned v3_ext = 1U << 3 | 1U << 5 | 1U << 8;                               /* BMI1, AVX2, BMI2 */
	const unsigned v3_lzcnt = 1U << 5;
	const unsigned v4_ext = 1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31; /* AVX512 F, DQ, CD, BW, VL */
	unsigned a, b, c, d, ext_b, ext_c, saved = 0;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & v2) != v2) {
		return 1;
	}
	if ((c & v3) != v3 || !__get_cpuid_count(7, 0, &a, &ext_b, &ext_c, &d) || (ext_b & v3_ext) != v3_ext ||
	    !__get_cpuid(0x80000001, &a, &b, &ext_c, &d) || (ext_c & v3_lzcnt) == 0) {
		return 2;
	}
	/* does the kernel keep the wide registers? */
	__asm__("xgetbv" : "=a"(saved) : "c"(0) : "edx");
	if ((saved & 0x6) != 0x6) {
		return 2;
	}
	return (ext_b & v4_ext) == v4_ext && (saved & 0xe0) == 0xe0 ? 4 : 3;
}

int gl_abi_check_header(const struct gl_abi *abi, const char *file, const char *header, size_t len,
			struct gl_error *err)
{
	const char *want = abi->object_header;
	size_t want_len = strlen(want), at, after, want_at, want_after;

	if (len == want_len && memcmp(header, want, len) == 0) {
		return 0;
	}
	int level = header_level(header, len, &at, &after);
	if (level == 0 || header_level(want, want_len, &want_at, &want_after) == 0 || at != want_at ||
	    len - after != want_len - want_after || memcmp(header, want, at) != 0 ||
	    memcmp(header + after, want + want_after, len - after) != 0) {
		return gl_fail(err, GL_EMISMATCH, "%s was made by \"%.*s\", but the host needs \"%s\"", file,
			       (int)(len < 300 ? len : 300), header, want);
	}
	int here = processor_level();
	if (level > here) {
		return gl_fail(err, GL_EMISMATCH, "%s was compiled for GOAMD64=v%d, but this processor is v%d", file,
			       level, here);
	}
	return 0;
}
