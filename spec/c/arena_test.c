/* The arena: what it hands out, in which order, and that nothing is ever writable and executable. */
#include "memory/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = 64 };

static int reserve(void **state)
{
	static struct gl_error err;

	*state = gl_arena_reserve(PAGES * gl_page_size(), &err);
	return *state == NULL;
}

static int release(void **state)
{
	gl_arena_free(*state);
	return 0;
}

/* The protection of the mapping that holds addr, as /proc/self/maps has it: "rw-p". */
static void protection_of(const void *addr, char out[5])
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned long low, high;

	assert_non_null(f);
	memcpy(out, "none", 5);
	while (fgets(line, sizeof(line), f) != NULL) {
		char prot[5];
		if (sscanf(line, "%lx-%lx %4s", &low, &high, prot) == 3 && (unsigned long)addr >= low &&
		    (unsigned long)addr < high) {
			memcpy(out, prot, sizeof(prot));
		}
	}
	fclose(f);
}

/* Has the kernel been told to leave the mapping that holds addr out of core files (VmFlags: dd)? */
static bool is_left_out_of_cores(const void *addr)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long low, high;
	bool is_it = false, is_left_out = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
			is_it = (unsigned long)addr >= low && (unsigned long)addr < high;
		} else if (is_it && strncmp(line, "VmFlags:", 8) == 0) {
			is_left_out = strstr(line, " dd") != NULL;
		}
	}
	fclose(f);
	return is_left_out;
}

static void test_cores_have_what_is_in_use(void **state)
{
	const size_t large = (size_t)1 << 28;
	struct gl_error err;
	struct gl_arena *arena = gl_arena_reserve(large, &err);

	(void)state;
	assert_non_null(arena);
	assert_true(is_left_out_of_cores((void *)gl_arena_low(arena)));
	unsigned char *p = gl_arena_take(arena, 3 * gl_page_size(), &err);
	assert_non_null(p);
	assert_false(is_left_out_of_cores(p));
	assert_true(is_left_out_of_cores((void *)(gl_arena_high(arena) - 1)));
	unsigned char *big = gl_arena_take(arena, large / 2, &err);
	assert_non_null(big);
	assert_false(is_left_out_of_cores(big + large / 2 - 1));
	gl_arena_give(arena, big, large / 2);
	big = gl_arena_take(arena, large / 2, &err);
	assert_non_null(big);
	assert_false(is_left_out_of_cores(big) || is_left_out_of_cores(big + large / 2 - 1));
	gl_arena_free(arena);
}

static void test_block_is_zeroed_writable_and_inside(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	size_t size = 3 * gl_page_size();
	unsigned char *p = gl_arena_take(arena, size, &err);

	assert_non_null(p);
	assert_true((uintptr_t)p >= gl_arena_low(arena) && (uintptr_t)p + size <= gl_arena_high(arena));
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(p[i], 0);
	}
	memset(p, 0xcc, size);
}

static void test_given_memory_comes_back_zeroed(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	size_t size = PAGES * gl_page_size();
	unsigned char *p = gl_arena_take(arena, size, &err);

	assert_non_null(p);
	memset(p, 0xcc, size);
	gl_arena_give(arena, p, size);
	unsigned char *again = gl_arena_take(arena, size, &err);
	assert_ptr_equal(again, p); /* there is no other place for it */
	assert_int_equal(again[0], 0);
	assert_int_equal(again[size - 1], 0);
}

static void test_addresses_rest_before_they_are_used_again(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	void *first = gl_arena_take(arena, gl_page_size(), &err);
	void *second = gl_arena_take(arena, gl_page_size(), &err);

	assert_non_null(second);
	gl_arena_give(arena, first, gl_page_size());
	assert_ptr_not_equal(gl_arena_take(arena, gl_page_size(), &err), first);
}

static void test_abandoned_addresses_are_the_last(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	size_t page = gl_page_size(), half = PAGES / 2 * page;
	char *first = gl_arena_take(arena, half, &err), *second = gl_arena_take(arena, half, &err);

	assert_non_null(second);
	gl_arena_abandon(arena, first, half);
	gl_arena_give(arena, second, half);
	for (int i = 0; i < PAGES / 2; i++) {
		assert_true((char *)gl_arena_take(arena, page, &err) >= second);
	}
	assert_ptr_equal(gl_arena_take(arena, half, &err), first);
}

static void test_neighbours_join(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	void *blocks[PAGES];

	for (int i = 0; i < PAGES; i++) {
		blocks[i] = gl_arena_take(arena, gl_page_size(), &err);
		assert_non_null(blocks[i]);
	}
	/* every other one first, so that each of the rest joins two */
	for (int i = 0; i < PAGES; i += 2) {
		gl_arena_give(arena, blocks[i], gl_page_size());
	}
	for (int i = 1; i < PAGES; i += 2) {
		gl_arena_give(arena, blocks[i], gl_page_size());
	}
	assert_non_null(gl_arena_take(arena, PAGES * gl_page_size(), &err));
}

/* A map of the pages beside the arena: who takes and gives in any order gets whole pages that nobody else has, and all
 * of the arena in the end. */
static void test_takes_and_gives_in_any_order(void **state)
{
	enum { STEPS = 20000, BLOCKS = 40 };
	struct gl_arena *arena = *state;
	struct gl_error err;
	size_t page = gl_page_size();
	struct {
		unsigned char *p;
		size_t pages;
	} blocks[BLOCKS] = { 0 };
	bool used[PAGES] = { 0 };
	uint32_t seed = 7;

	for (int step = 0; step < STEPS; step++) {
		seed = seed * 1664525 + 1013904223;
		size_t k = (seed >> 8) % BLOCKS, pages = 1 + (seed >> 16) % 5;
		if (blocks[k].p == NULL) {
			unsigned char *p = gl_arena_take(arena, pages * page, &err);
			if (p == NULL) { /* then there is no hole that large */
				for (size_t i = 0, hole = 0; i < PAGES; i++) {
					hole = used[i] ? 0 : hole + 1;
					assert_true(hole < pages);
				}
				continue;
			}
			size_t first = ((uintptr_t)p - gl_arena_low(arena)) / page;
			assert_true((uintptr_t)p >= gl_arena_low(arena) && first + pages <= PAGES);
			for (size_t i = first; i < first + pages; i++) {
				assert_false(used[i]);
				used[i] = true;
				assert_int_equal(p[(i - first) * page], 0);
			}
			memset(p, (int)k + 1, pages * page);
			blocks[k].p = p;
			blocks[k].pages = pages;
			continue;
		}
		/* a part of it, or all */
		size_t part = seed >> 30 == 0 ? blocks[k].pages : 1;
		size_t first = ((uintptr_t)blocks[k].p - gl_arena_low(arena)) / page;
		for (size_t i = 0; i < part; i++) {
			assert_int_equal(blocks[k].p[i * page], (int)k + 1);
			used[first + i] = false;
		}
		gl_arena_give(arena, blocks[k].p, part * page);
		blocks[k].pages -= part;
		blocks[k].p = blocks[k].pages > 0 ? blocks[k].p + part * page : NULL;
	}
	for (size_t k = 0; k < BLOCKS; k++) {
		if (blocks[k].p != NULL) {
			gl_arena_give(arena, blocks[k].p, blocks[k].pages * page);
		}
	}
	assert_non_null(gl_arena_take(arena, PAGES * page, &err));
}

static void test_upper_part_is_an_arena_of_its_own(void **state)
{
	struct gl_arena *arena = *state;
	struct gl_error err;
	size_t page = gl_page_size();
	uintptr_t high = gl_arena_high(arena);
	struct gl_arena *upper = gl_arena_split(arena, 16 * page, &err);

	assert_non_null(upper);
	assert_int_equal(gl_arena_high(upper), high);
	assert_int_equal(gl_arena_low(upper), gl_arena_high(arena));
	assert_null(gl_arena_take(upper, 17 * page, &err));
	assert_non_null(gl_arena_take(upper, 16 * page, &err));
	assert_null(gl_arena_take(arena, (PAGES - 15) * page, &err));
	assert_non_null(gl_arena_take(arena, (PAGES - 16) * page, &err));
	gl_arena_free(upper);
}

static void test_full_arena_says_so(void **state)
{
	struct gl_error err = { 0 };

	assert_null(gl_arena_take(*state, (PAGES + 1) * gl_page_size(), &err));
	assert_int_equal(err.code, GL_ENOMEM);
	assert_non_null(strstr(err.message, "within reach of the host"));
}

static void test_protections(void **state)
{
	struct gl_error err;
	size_t page = gl_page_size();
	char *p = gl_arena_take(*state, 3 * page, &err);
	char prot[5];

	assert_non_null(p);
	assert_int_equal(gl_arena_protect(p, page, GL_PROT_READ_EXEC, &err), 0);
	assert_int_equal(gl_arena_protect(p + page, page, GL_PROT_READ, &err), 0);
	protection_of(p, prot);
	assert_string_equal(prot, "r-xp");
	protection_of(p + page, prot);
	assert_string_equal(prot, "r--p");
	protection_of(p + 2 * page, prot);
	assert_string_equal(prot, "rw-p");
	gl_arena_give(*state, p, 3 * page);
	protection_of(p, prot);
	assert_string_equal(prot, "---p");
}

static void test_hole_in_a_range(void **state)
{
	struct gl_error err;
	uintptr_t low = gl_arena_high(*state), high = low + ((uintptr_t)1 << 38);
	size_t size = (size_t)1 << 27;
	struct gl_arena *arena = gl_arena_reserve_between(low, high, size, &err);

	assert_non_null(arena);
	assert_true(gl_arena_low(arena) >= low && gl_arena_high(arena) <= high);
	assert_non_null(gl_arena_take(arena, gl_page_size(), &err));
	gl_arena_free(arena);
	/* a range without room for the least */
	assert_null(gl_arena_reserve_between(low, low + gl_page_size(), size, &err));
	assert_int_equal(err.code, GL_ENOMEM);
}

static void test_variables_lie_close_together(void **state)
{
	struct gl_error err;
	size_t page = gl_page_size(), size = 4 * page;
	struct gl_arena *arena = gl_arena_of_variables(*state, size, &err);
	enum { N = 32 };
	unsigned char *blocks[N], prot[5];

	assert_non_null(arena);
	assert_true(gl_arena_low(arena) >= gl_arena_low(*state) && gl_arena_high(arena) <= gl_arena_high(*state));
	assert_int_equal(gl_arena_high(arena) - gl_arena_low(arena), size);
	assert_int_equal(gl_arena_reached(arena), gl_arena_low(arena));
	for (int i = 0; i < N; i++) {
		blocks[i] = gl_arena_take(arena, (size_t)(1 + i % 2) * GL_SMALL_BLOCK, &err);
		assert_non_null(blocks[i]);
		assert_true(i == 0 || blocks[i] == blocks[i - 1] + (size_t)(1 + (i - 1) % 2) * GL_SMALL_BLOCK);
		memset(blocks[i], 0xcc, (size_t)(1 + i % 2) * GL_SMALL_BLOCK);
	}
	assert_int_equal(gl_arena_reached(arena), gl_arena_low(arena) + 3 * N / 2 * GL_SMALL_BLOCK);
	protection_of(blocks[0], (char *)prot);
	assert_string_equal((char *)prot, "rw-p");
	/* what is given is cleared, and no block beside it */
	gl_arena_give(arena, blocks[1], 2 * GL_SMALL_BLOCK);
	assert_int_equal(blocks[1][0], 0);
	assert_int_equal(blocks[0][GL_SMALL_BLOCK - 1], 0xcc);
	assert_int_equal(blocks[2][0], 0xcc);
	gl_arena_give(arena, blocks[0], GL_SMALL_BLOCK);
	for (int i = 2; i < N; i++) {
		gl_arena_give(arena, blocks[i], (size_t)(1 + i % 2) * GL_SMALL_BLOCK);
	}
	/* all of it is one range again, cleared */
	unsigned char *all = gl_arena_take(arena, size, &err);
	assert_ptr_equal(all, blocks[0]);
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(all[i], 0);
	}
	assert_null(gl_arena_take(arena, GL_SMALL_BLOCK, &err));
	/* whoever takes from the other one gets nothing of it */
	for (unsigned char *p; (p = gl_arena_take(*state, page, &err)) != NULL;) {
		assert_true((uintptr_t)p < gl_arena_low(arena) || (uintptr_t)p >= gl_arena_high(arena));
	}
	gl_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_block_is_zeroed_writable_and_inside, reserve, release),
		cmocka_unit_test_setup_teardown(test_given_memory_comes_back_zeroed, reserve, release),
		cmocka_unit_test_setup_teardown(test_addresses_rest_before_they_are_used_again, reserve, release),
		cmocka_unit_test_setup_teardown(test_abandoned_addresses_are_the_last, reserve, release),
		cmocka_unit_test_setup_teardown(test_neighbours_join, reserve, release),
		cmocka_unit_test_setup_teardown(test_takes_and_gives_in_any_order, reserve, release),
		cmocka_unit_test_setup_teardown(test_upper_part_is_an_arena_of_its_own, reserve, release),
		cmocka_unit_test_setup_teardown(test_full_arena_says_so, reserve, release),
		cmocka_unit_test_setup_teardown(test_protections, reserve, release),
		cmocka_unit_test(test_cores_have_what_is_in_use),
		cmocka_unit_test_setup_teardown(test_hole_in_a_range, reserve, release),
		cmocka_unit_test_setup_teardown(test_variables_lie_close_together, reserve, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
