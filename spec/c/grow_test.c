/* Arrays that grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "grow.h"

static void keeps_what_is_in_it(void **state)
{
	uint32_t *list = NULL, n = 0, cap = 0;

	(void)state;
	for (; n < 10000; n++) {
		if (!GL_GROW(list, n, cap)) {
			fail_msg("no room for element %u", n);
			return;
		}
		list[n] = n;
	}
	assert_true(cap >= n && cap <= 4 * n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(list[i], i);
	}
	free(list);
}

static void makes_room_for_many_at_once(void **state)
{
	char *list = NULL;
	size_t cap = 0;

	(void)state;
	assert_true(GL_RESERVE(list, 3, 1000, cap));
	assert_true(cap >= 1003);
	assert_true(GL_RESERVE(list, 1003, 0, cap));
	free(list);
}

static void has_a_place_for_no_element(void **state)
{
	int *list = NULL;
	size_t cap = 0;

	(void)state;
	assert_true(GL_RESERVE(list, 0, 0, cap));
	assert_non_null(list);
	free(list);
}

static void refuses_more_than_its_numbers_hold(void **state)
{
	uint64_t *list = NULL;
	uint16_t cap = 0;
	size_t large = 0;

	(void)state;
	assert_true(GL_RESERVE(list, 0, UINT16_MAX, cap));
	assert_int_equal(cap, UINT16_MAX);
	uint64_t *before = list;
	assert_false(GL_GROW(list, UINT16_MAX, cap));
	assert_ptr_equal(list, before);
	free(list);
	list = NULL;
	assert_false(GL_RESERVE(list, 8, SIZE_MAX, large));
	assert_false(GL_RESERVE(list, 0, SIZE_MAX / 8, large));
	assert_null(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_in_it),
		cmocka_unit_test(makes_room_for_many_at_once),
		cmocka_unit_test(has_a_place_for_no_element),
		cmocka_unit_test(refuses_more_than_its_numbers_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
