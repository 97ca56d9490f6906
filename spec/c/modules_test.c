/* The list of modules that Delve has (debug/modules.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/abi.h"
#include "debug/modules.h"

enum { TEXT, ETEXT, TYPES, ETYPES, PLUGIN_PATH, PLUGIN_PATH_LENGTH, NEXT, FIELDS };

static struct gl_abi abi;

static int prepare(void **state)
{
	(void)state;
	abi.moduledata.text = TEXT * sizeof(uintptr_t);
	abi.moduledata.etext = ETEXT * sizeof(uintptr_t);
	abi.moduledata.types = TYPES * sizeof(uintptr_t);
	abi.moduledata.etypes = ETYPES * sizeof(uintptr_t);
	abi.moduledata.pluginpath = PLUGIN_PATH * sizeof(uintptr_t);
	abi.moduledata.next = NEXT * sizeof(uintptr_t);
	abi.moduledata.size = FIELDS * sizeof(uintptr_t);
	return 0;
}

static const uintptr_t *after(const uintptr_t *entry) { return (const uintptr_t *)entry[PLUGIN_PATH]; }

static void has_an_entry_for_each_module_that_is_there(void **state)
{
	uintptr_t first[FIELDS] = { [NEXT] = 77 }, module[FIELDS] = { 1, 2, 3, 4 }, other[FIELDS] = { 5, 6, 7, 8 };

	(void)state;
	modules_begin(&abi, (uintptr_t)first);
	struct listed *a = modules_add((uintptr_t)module, 100), *b = modules_add((uintptr_t)other, 200);

	assert_ptr_equal(after(first), b);
	assert_ptr_equal(after(after(first)), a);
	assert_null(after(after(after(first))));
	const uintptr_t expected[FIELDS] = { 100, 2, 3, 4 };
	assert_memory_equal(a, expected, sizeof(expected));
	assert_int_equal(first[NEXT], 77);

	modules_remove(a);
	assert_ptr_equal(after(first), b);
	assert_null(after(after(first)));
	a = modules_add((uintptr_t)module, 100);
	modules_remove(a);
	assert_ptr_equal(after(first), b);
	modules_remove(b);
	assert_null(after(first));
	modules_remove(NULL);
}

static void there_is_none_where_the_place_for_it_is_in_use(void **state)
{
	uintptr_t first[FIELDS] = { [PLUGIN_PATH] = 5, [PLUGIN_PATH_LENGTH] = 9 }, module[FIELDS] = { 0 };

	(void)state;
	modules_begin(&abi, (uintptr_t)first);
	assert_null(modules_add((uintptr_t)module, 100));
	assert_int_equal(first[PLUGIN_PATH], 5);
	modules_begin(&abi, 0);
	assert_null(modules_add((uintptr_t)module, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(has_an_entry_for_each_module_that_is_there, prepare),
		cmocka_unit_test_setup(there_is_none_where_the_place_for_it_is_in_use, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
