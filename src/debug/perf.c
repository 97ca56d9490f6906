/* The map for perf (linux/tools/perf/Documentation/jit-interface.txt): a line for each function, "start size name" in
 * hexadecimal digits. perf reads it when it reports, so that the lines of what was unloaded stay: samples of it were
 * taken before. The arena gives an address out again only after all others; where that comes to it, the name that perf
 * shows may be that of either.
 *
 * Lines are appended to what others in the process may have written. Whoever else could put a file of that name into
 * /tmp gets nothing: a link isn't followed, and a file of another user's is left alone. */
#include "perf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_map(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())) {
		close(fd);
		return -1;
	}
	return fd;
}

static void put_line(struct bytes *b, const struct code *c)
{
	char numbers[40];

	int n = snprintf(numbers, sizeof(numbers), "%lx %zx ", (unsigned long)c->addr, c->size);
	put(b, numbers, (size_t)n);
	put(b, c->name, strlen(c->name));
	put_8(b, '\n');
}

void perf_add(const struct code *code, size_t n)
{
	struct bytes lines = { 0 };
	int fd = open_map();

	for (size_t i = 0; fd >= 0 && i < n; i++) {
		put_line(&lines, &code[i]);
	}
	for (size_t at = 0; at < lines.n;) {
		ssize_t written = write(fd, lines.p + at, lines.n - at);
		if (written <= 0) {
			break;
		}
		at += (size_t)written;
	}
	free(lines.p);
	if (fd >= 0) {
		close(fd);
	}
}
