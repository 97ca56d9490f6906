/* Does an object suit the host? Its first line says for what it was compiled:
 *
 *     go object linux amd64 go1.26.8 GOAMD64=v1 X:regabiwrappers,…
 *
 * It must be the host's own (Go's linker demands the same: cmd/link/internal/ld/ld.go), but for two of its words.
 *
 * GOAMD64 says which instructions the compiler may use; calls, layouts and the runtime are the same at every level, so
 * that a host of one level takes objects of any, if the processor has those instructions. Natively the program asks the
 * processor when it starts (runtime/asm_amd64.s, rt0_go); here the loader does, for each object.
 *
 * X: has the experiments of GOEXPERIMENT (internal/goexperiment/flags.go). Some of them only let packages be imported,
 * or change what the compiler makes of a line, and leave the runtime and all that packages agree upon as they are. Of
 * those, object and host need not have the same. */
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

/* Packages: arena, encoding/json/v2, simd, testing/synctest. The language: what variables of a loop are, functions to
 * range over, aliases with parameters; how much is inlined. */
static const char *const free_experiments[] = { "arenas",    "jsonv2",          "simd",      "synctest", "loopvar",
						"rangefunc", "aliastypeparams", "newinliner" };

static bool is_free(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(free_experiments) / sizeof(free_experiments[0]); i++) {
		if (strlen(free_experiments[i]) == len && memcmp(word, free_experiments[i], len) == 0) {
			return true;
		}
	}
	return false;
}

/* Goes on to the next experiment in the list that is not free; its length, 0 at the end. */
static size_t next_bound(const char **p, const char *end)
{
	while (*p < end) {
		const char *comma = memchr(*p, ',', (size_t)(end - *p));
		size_t len = (size_t)((comma != NULL ? comma : end) - *p);
		if (len > 0 && !is_free(*p, len)) {
			return len;
		}
		*p += len + (comma != NULL);
	}
	return 0;
}

/* Are two ends of headers, " X:a,b" or nothing, the same but for experiments that are free? */
static bool same_experiments(const char *a, size_t a_len, const char *b, size_t b_len)
{
	static const char mark[] = " X:";
	const size_t n = sizeof(mark) - 1;
	const char *a_end = a + a_len, *b_end = b + b_len;

	if ((a_len > 0 && (a_len < n || memcmp(a, mark, n) != 0)) ||
	    (b_len > 0 && (b_len < n || memcmp(b, mark, n) != 0))) {
		return false;
	}
	a += a_len > 0 ? n : 0;
	b += b_len > 0 ? n : 0;
	for (;;) {
		size_t len = next_bound(&a, a_end);
		if (len != next_bound(&b, b_end) || memcmp(a, b, len) != 0) {
			return false;
		}
		if (len == 0) {
			return true;
		}
		a += len;
		b += len;
	}
}

/* Is this one of the words that stand behind " X:", separated by commas? */
static bool has_word(const char *list, size_t len, const char *word, size_t n)
{
	for (size_t at = 0; at + n <= len;) {
		const char *comma = memchr(list + at, ',', len - at);
		size_t end = comma == NULL ? len : (size_t)(comma - list);
		if (end - at == n && memcmp(list + at, word, n) == 0) {
			return true;
		}
		at = end + 1;
	}
	return false;
}

/* Writes the words of one list that another has not, each behind a prefix; returns how much of the text is there. */
static size_t tell_words(char *text, size_t size, size_t at, const char *list, size_t len, const char *other,
			 size_t other_len, const char *prefix)
{
	for (size_t from = 0; from < len;) {
		const char *comma = memchr(list + from, ',', len - from);
		size_t end = comma == NULL ? len : (size_t)(comma - list);
		if (!is_free(list + from, end - from) && !has_word(other, other_len, list + from, end - from) &&
		    at < size) {
			int n = snprintf(text + at, size - at, "%s%s%.*s", at == 0 ? "" : ",", prefix,
					 (int)(end - from), list + from);
			at += n < 0 ? 0 : (size_t)n;
		}
		from = end + 1;
	}
	return at;
}

/* Tells of an object that differs in its experiments only, as GOEXPERIMENT would name what the host has not. */
static bool tells_experiments(const char *file, const char *header, size_t len, const char *want, struct gl_error *err)
{
	static const char list_word[] = " X:";
	const size_t word = sizeof(list_word) - 1, want_len = strlen(want);
	size_t level_at = 0, level_after = 0, want_at, want_after;
	const char *list = memmem(header, len, list_word, word), *want_list = strstr(want, list_word);

	if (list == NULL || want_list == NULL || list - header != want_list - want ||
	    (header_level(header, len, &level_at, &level_after) == 0) !=
		    (header_level(want, want_len, &want_at, &want_after) == 0) ||
	    memcmp(header, want, level_at) != 0 ||
	    memcmp(header + level_after, want + level_after, (size_t)(list - header) - level_after) != 0) {
		return false;
	}
	char text[300] = "";
	const char *has = list + word, *wants = want_list + word;
	size_t has_len = (size_t)(header + len - has), wants_len = (size_t)(want + want_len - wants);
	size_t at = tell_words(text, sizeof(text), 0, has, has_len, wants, wants_len, "");
	at = tell_words(text, sizeof(text), at, wants, wants_len, has, has_len, "no");
	if (at == 0) {
		return false;
	}
	gl_fail(err, GL_EMISMATCH,
		"%s was compiled with other experiments than the host: GOEXPERIMENT=%s is what the host was made "
		"without",
		file, text);
	return true;
}

bool gl_abi_headers_agree(const char *header, size_t len, const char *want, size_t want_len)
{
	size_t at, after, want_at, want_after;

	return header_level(header, len, &at, &after) != 0 &&
	       header_level(want, want_len, &want_at, &want_after) != 0 && at == want_at &&
	       memcmp(header, want, at) == 0 &&
	       same_experiments(header + after, len - after, want + want_after, want_len - want_after);
}

int gl_abi_check_header(const struct gl_abi *abi, const char *file, const char *header, size_t len,
			struct gl_error *err)
{
	const char *want = abi->object_header;
	size_t want_len = strlen(want), at, after;

	if (len == want_len && memcmp(header, want, len) == 0) {
		return 0;
	}
	if (!gl_abi_headers_agree(header, len, want, want_len)) {
		if (tells_experiments(file, header, len, want, err)) {
			return -1;
		}
		return gl_fail(err, GL_EMISMATCH, "%s was made by \"%.*s\", but the host needs \"%s\"", file,
			       (int)(len < 300 ? len : 300), header, want);
	}
	int level = header_level(header, len, &at, &after), here = processor_level();
	if (level > here) {
		return gl_fail(err, GL_EMISMATCH, "%s was compiled for GOAMD64=v%d, but this processor is v%d", file,
			       level, here);
	}
	return 0;
}
