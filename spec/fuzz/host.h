/* What fuzzers of objects read by: the description of a host. GOLOADER_TEST_HOST names another directory than
 * build/host/default. */
#ifndef GL_FUZZ_HOST_H
#define GL_FUZZ_HOST_H

#include <stdio.h>
#include <stdlib.h>

#include "abi/abi.h"

static struct gl_abi *abi;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *host = getenv("GOLOADER_TEST_HOST");
	char path[4096];
	struct gl_error err;

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.desc", host != NULL ? host : "build/host/default");
	abi = gl_abi_read(path, &err);
	if (abi == NULL) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return 0;
}

#endif
