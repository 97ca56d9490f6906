/* gl_hash: names that differ in one place must not meet in one bucket, for uthash goes by the low bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "link/link.h"

enum { NAMES = 4096, BUCKETS = 1024, MOST = 24 /* where chance alone makes it 16 */ };

static uint32_t fullest_bucket(const char *format)
{
	uint32_t buckets[BUCKETS] = { 0 }, most = 0;
	char name[64];

	for (int i = 0; i < NAMES; i++) {
		int n = snprintf(name, sizeof(name), format, i);
		uint32_t *bucket = &buckets[gl_hash(name, (size_t)n) % BUCKETS];
		most = ++*bucket > most ? *bucket : most;
	}
	return most;
}

static void test_difference_anywhere(void **state)
{
	static const char *const formats[] = { "%04d",
					       "%08d",
					       "type:*sprawl/p1.Order%04d",
					       "%04d/sprawl.(*Order).String",
					       "type:map[string]*sprawl/p%d.Order17",
					       "sprawl/p1.Order%d.String·f" };

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		assert_in_range(fullest_bucket(formats[i]), 4, MOST);
	}
}

static void test_every_length(void **state)
{
	static const char name[] = "the beginning of a name tells its length";
	uint32_t seen[sizeof(name)];

	(void)state;
	for (size_t n = 0; n < sizeof(name); n++) {
		seen[n] = gl_hash(name, n);
		for (size_t k = 0; k < n; k++) {
			assert_int_not_equal(seen[k], seen[n]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_difference_anywhere),
		cmocka_unit_test(test_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
