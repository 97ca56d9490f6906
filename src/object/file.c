#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_whole(int fd, uint8_t *bytes, size_t size, const char *file, struct gl_error *err)
{
	for (size_t used = 0; used < size;) {
		ssize_t n = read(fd, bytes + used, size - used);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return gl_fail(err, GL_EIO, "%s: %s", file,
				       n < 0 ? strerror(errno) : "it shrank while it was read");
		}
		used += (size_t)n;
	}
	bytes[size] = 0;
	return 0;
}

int file_read(const char *file, uint8_t **bytes, size_t *size, struct gl_error *err)
{
	/* O_NONBLOCK: to open a pipe would wait for its other end */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = -1;
	struct stat st;

	*bytes = NULL;
	if (fd < 0 || fstat(fd, &st) != 0) {
		gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		gl_fail(err, GL_EIO, "%s is not a regular file", file);
	} else {
		*size = (size_t)st.st_size;
		*bytes = malloc(*size + 1);
		ret = *bytes == NULL ? gl_fail(err, GL_ENOMEM, "%s: out of memory", file) :
				       read_whole(fd, *bytes, *size, file, err);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (ret != 0) {
		free(*bytes);
		*bytes = NULL;
	}
	return ret;
}

static int write_whole(int fd, const uint8_t *bytes, size_t size, const char *file, struct gl_error *err)
{
	for (size_t used = 0; used < size;) {
		ssize_t n = write(fd, bytes + used, size - used);
		if (n < 0 && errno != EINTR) {
			return gl_fail(err, GL_EIO, "%s: %s", file, strerror(errno));
		}
		used += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

int file_copy(const char *from, const char *to, struct gl_error *err)
{
	uint8_t *bytes;
	size_t size;

	if (file_read(from, &bytes, &size, err) != 0) {
		return -1;
	}
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int ret = fd < 0 ? gl_fail(err, GL_EIO, "%s: %s", to, strerror(errno)) : write_whole(fd, bytes, size, to, err);
	free(bytes);
	if (ret == 0 && ftruncate(fd, (off_t)size) != 0) {
		ret = gl_fail(err, GL_EIO, "%s: %s", to, strerror(errno));
	}
	if (fd >= 0 && close(fd) != 0 && ret == 0) {
		ret = gl_fail(err, GL_EIO, "%s: %s", to, strerror(errno));
	}
	return ret;
}
