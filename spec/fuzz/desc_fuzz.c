/* Fuzzing the reader of host descriptions: whatever the text, it is taken or refused, and what it gives can be read. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

volatile size_t sink; /* what is read must be read indeed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("description", MFD_CLOEXEC);
	char path[64];
	struct gl_error err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct gl_abi *abi = gl_abi_read(path, &err);
	if (abi != NULL) {
		sink += strlen(abi->go_version) + strlen(abi->goarch) + strlen(abi->goamd64) +
			strlen(abi->goexperiment) + strlen(abi->buildmode) + strlen(abi->object_header);
		for (uint32_t i = 0; i < abi->nbuiltins; i++) {
			sink += strlen(abi->builtins[i].name);
		}
		for (uint64_t code = 0; code < 5000; code++) {
			const struct gl_abbrev *abbrev = gl_abi_abbrev(abi, code);
			for (uint16_t i = 0; abbrev != NULL && i < abbrev->nattrs; i++) {
				sink += abbrev->attrs[i].attr + abbrev->attrs[i].form;
			}
		}
		sink += (size_t)gl_abi_field(abi, "runtime.g", "goid") + (size_t)gl_abi_struct_size(abi, "runtime.m") +
			(size_t)gl_abi_const(abi, "R_CALL");
		gl_abi_free(abi);
	}
	close(fd);
	return 0;
}
