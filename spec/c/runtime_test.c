/* What is known of the runtime, on the description of the host this tree was built with and on edited ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/runtime.h"

#define REAL "build/host/default/libgoloader_host.so.desc"

static char *text; /* the description of the running test */
static size_t text_size;
static const char *hidden; /* the symbol that its host lacks */

static uintptr_t find(const void *arg, const char *name, uint64_t *size)
{
	(void)arg;
	if (hidden != NULL && strcmp(name, hidden) == 0) {
		return 0;
	}
	if (strcmp(name, "runtime.buildVersion") == 0) {
		static const struct {
			const char *p;
			int64_t n;
		} version = { "go1.99", 6 };
		return (uintptr_t)&version;
	}
	if (size != NULL) {
		*size = 16;
	}
	return 0x1000;
}

static int set_up(void **state)
{
	FILE *file = fopen(REAL, "rb");

	(void)state;
	hidden = NULL;
	text = calloc(1, 1 << 20);
	text_size = file != NULL ? fread(text, 1, (1 << 20) - 1, file) : 0;
	if (file != NULL) {
		fclose(file);
	}
	return text_size > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(text);
	return 0;
}

/* Replaces the line that begins like this; by NULL: takes it out. */
static void edit(const char *line, const char *by)
{
	char *at = strstr(text, line);

	assert_non_null(at);
	char *end = strchr(at, '\n');
	char *rest = strdup(end + 1);
	sprintf(at, "%s%s%s", by != NULL ? by : "", by != NULL ? "\n" : "", rest);
	free(rest);
}

static struct gl_abi *read_abi(void)
{
	char path[] = "/tmp/runtime_test.XXXXXX";
	int fd = mkstemp(path);
	struct gl_error err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	struct gl_abi *abi = gl_abi_read(path, &err);
	unlink(path);
	assert_non_null(abi);
	return abi;
}

static int fill(struct gl_runtime *rt, struct gl_error *err)
{
	struct gl_abi *abi = read_abi();
	struct gl_runtime_names names = { .abi = abi, .host = "the host", .find = find };
	struct gl_runtime_vars vars;

	memset(err, 0, sizeof(*err));
	memset(rt, 0, sizeof(*rt));
	int ret = gl_runtime_fill(&names, rt, &vars, err);
	gl_abi_free(abi);
	return ret;
}

static void refused(const char *says)
{
	struct gl_runtime rt;
	struct gl_error err;

	assert_int_equal(fill(&rt, &err), -1);
	assert_int_equal(err.code, GL_EHOST);
	if (strstr(err.message, says) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", err.message, says);
	}
	assert_null(strchr(err.message, '\n'));
}

static void all_of_the_default_host_is_known(void **state)
{
	struct gl_runtime rt;
	struct gl_error err;

	(void)state;
	if (fill(&rt, &err) != 0) {
		fail_msg("%s", err.message);
	}
	assert_int_equal(rt.status_scan, 0x1000);
	assert_int_equal(rt.page_shift, 13);
	assert_true(rt.g_goid > 0 && rt.mspan_index_size > 0 && rt.special_size > 0 && rt.reflect_offs_m > 0);
}

static void a_state_is_what_the_description_says(void **state)
{
	struct gl_runtime rt;
	struct gl_error err;

	(void)state;
	edit("const\truntime._Gdead\t", "const\truntime._Gdead\t77");
	edit("const\truntime.pageSize\t", "const\truntime.pageSize\t16384");
	assert_int_equal(fill(&rt, &err), 0);
	assert_int_equal(rt.status_dead, 77);
	assert_int_equal(rt.page_shift, 14);
}

static void a_state_that_is_gone_is_named(void **state)
{
	(void)state;
	edit("const\truntime._Gidle\t", NULL);
	refused("its runtime (go1.");
	refused("the constant runtime._Gidle");
}

static void a_field_that_is_gone_is_named(void **state)
{
	(void)state;
	edit("field\truntime.mspan\tspecials\t", NULL);
	refused("needs: runtime.mspan.specials");
}

static void a_field_of_another_width_is_refused(void **state)
{
	(void)state;
	edit("field\truntime.m\tmallocing\t", "field\truntime.m\tmallocing\t0\t8");
	refused("runtime.m.mallocing of 4 bytes (it has 8)");
}

static void neighbours_need_not_be(void **state)
{
	struct gl_runtime rt;
	struct gl_error err;

	(void)state;
	edit("field\truntime.mspan\tfreeindex\t", "field\truntime.mspan\tfreeindex\t0\t2");
	edit("field\truntime.mspan\tnelems\t", "field\truntime.mspan\tnelems\t80\t2");
	assert_int_equal(fill(&rt, &err), 0);
	assert_int_equal(rt.mspan_index_size, 2);
	edit("field\truntime.mspan\tfreeindex\t", "field\truntime.mspan\tfreeindex\t0\t4");
	refused("runtime.mspan.nelems and .freeindex of 2 or 8 bytes");
}

static void a_layout_that_moved_is_refused(void **state)
{
	(void)state;
	edit("field\truntime.bitvector\tbytedata\t", "field\truntime.bitvector\tbytedata\t0\t8");
	refused("runtime.bitvector.bytedata at 8 (it is at 0)");
}

static void a_note_of_a_finalizer_that_moved_is_refused(void **state)
{
	(void)state;
	edit("field\truntime.specialfinalizer\tfn\t", "field\truntime.specialfinalizer\tfn\t32\t8");
	refused("runtime.specialfinalizer.fn at ");
}

static void a_symbol_that_is_gone_is_named_with_the_likely_reason(void **state)
{
	(void)state;
	hidden = "runtime.spanOfHeap";
	refused("needs: runtime.spanOfHeap (was it built without importing \"plugin\"?)");
}

static void without_a_field_of_it_there_is_no_short_way(void **state)
{
	struct gl_enter_setup setup;

	(void)state;
	for (int i = 0; i < 3; i++) {
		if (i == 1) {
			edit("field\truntime.m\tlockedInt\t", NULL);
		} else if (i == 2) {
			hidden = "runtime.exitsyscall";
		}
		struct gl_abi *abi = read_abi();
		struct gl_runtime_names names = { .abi = abi, .host = "the host", .find = find };
		assert_int_equal(gl_runtime_fill_enter(&names, &setup), i == 0);
		gl_abi_free(abi);
	}
}

static void a_description_of_another_go_is_refused(void **state)
{
	struct gl_abi *abi = read_abi();
	struct gl_runtime_names names = { .abi = abi, .host = "the host", .find = find };
	struct gl_error err;

	(void)state;
	assert_int_equal(gl_runtime_check_version(&names, &err), -1);
	assert_int_equal(err.code, GL_EMISMATCH);
	assert_non_null(strstr(err.message, "the host was built by go1.99, but its description is of a host built by"));
	gl_abi_free(abi);
}

static void caches_of_types_are_where_the_description_says(void **state)
{
	struct gl_abi *abi = read_abi();
	size_t offset = 1;

	(void)state;
	assert_true(gl_runtime_type_map(abi, "reflect.ptrMap", &offset));
	assert_int_equal(offset, 0);
	assert_true(gl_runtime_type_map(abi, "reflect.funcLookupCache", &offset));
	assert_int_equal(offset, gl_abi_field(abi, "reflect.funcLookupCache", "m"));
	assert_true(offset > 0);
	assert_false(gl_runtime_type_map(abi, "reflect.somethingElse", &offset));
	gl_abi_free(abi);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_of_the_default_host_is_known),
		TEST(a_state_is_what_the_description_says),
		TEST(a_state_that_is_gone_is_named),
		TEST(a_field_that_is_gone_is_named),
		TEST(a_field_of_another_width_is_refused),
		TEST(neighbours_need_not_be),
		TEST(a_layout_that_moved_is_refused),
		TEST(a_note_of_a_finalizer_that_moved_is_refused),
		TEST(a_symbol_that_is_gone_is_named_with_the_likely_reason),
		TEST(without_a_field_of_it_there_is_no_short_way),
		TEST(a_description_of_another_go_is_refused),
		TEST(caches_of_types_are_where_the_description_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
