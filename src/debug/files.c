/* A folder of the process's, $XDG_RUNTIME_DIR/goloader/PID or $TMPDIR/goloader-debug-UID/PID, has a file for each
 * module and each copy of the pure road, as long as that is there.
 *
 *   1. The file is written whole: the code as it lies in memory, symbols, DWARF (symfile.c).
 *   2. The dynamic linker opens it, and maps no more than its first page, somewhere: debuggers that know of no other
 *      code than its libraries then find it in its list. Where in memory a library lies, that list has as the distance
 *      from what the file says; the file is to be right about code that lies elsewhere, so that distance is asked for,
 *      and taken off all addresses in the file. The first page says that it wants to lie where it will most likely
 *      come to lie, so that the distance is 0, and the file is right before a debugger reads it.
 *   3. The pages of the code are mapped from it in place of those that are there. Neither can be written while it can
 *      be executed. Core files have pages of files only where they were written, so one byte is, with what it is,
 *      through /proc/self/mem.
 *
 * Files are removed with their code, and the folder when the process exits, unless perf is to read them later
 * (files_keep). What ends otherwise leaves it behind: each process holds a lock on its folder, and removes those that
 * nobody holds one on. A process's number alone would not tell, containers share folders and not numbers. */
#include "files.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../memory/arena.h"

struct code_file {
	void *library; /* NULL: the dynamic linker was not to be had */
	bool is_whole;
	char path[];
};

/* The process's folder. */
static struct {
	char path[PATH_MAX - NAME_MAX];
	int lock;    /* what is open of it, for the lock */
	pid_t owner; /* 0: there is no folder; a forked child leaves its parent's alone */
	bool stays;  /* and all files */
	bool failed; /* the last file could not be written, which was said */
} folder;

/* ---- the folder -------------------------------------------------------------------------------------------------- */

/* A folder of this user's that nobody else can write to; it is made where it is not there. */
static int make_own(const char *path, struct gl_error *err)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		return gl_fail(err, GL_EIO, "%s: %s", path, strerror(errno));
	}
	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		return gl_fail(err, GL_EIO, "%s: not a folder of this user's alone (mode 0700)", path);
	}
	return 0;
}

static void remove_all(int dir, const char *path)
{
	int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir closes it */
	DIR *list = own >= 0 ? fdopendir(own) : NULL;

	if (list == NULL) {
		if (own >= 0) {
			close(own);
		}
		return;
	}
	for (const struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			unlinkat(dir, e->d_name, 0);
		}
	}
	closedir(list);
	rmdir(path);
}

/* Removes a process's folder, unless somebody has the lock on it. */
static void remove_left(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0) {
		return;
	}
	if (flock(dir, LOCK_EX | LOCK_NB) == 0) {
		remove_all(dir, path);
	}
	close(dir);
}

static void remove_leftovers(const char *parent)
{
	DIR *list = opendir(parent);
	char path[PATH_MAX];

	if (list == NULL) {
		return;
	}
	for (const struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
		bool is_number = e->d_name[0] >= '1' && e->d_name[0] <= '9';
		if (is_number && snprintf(path, sizeof(path), "%s/%s", parent, e->d_name) < (int)sizeof(path)) {
			remove_left(path);
		}
	}
	closedir(list);
}

/* Makes the process's folder, with a lock on it. Between both, another process that begins may take it for one that was
 * left, and remove it: then it is made again. */
static int make_folder(const char *parent, struct gl_error *err)
{
	enum { MOST_TRIES = 100 };
	struct stat st;

	for (int i = 0; i < MOST_TRIES; i++) {
		/* in another container a process may have the same number */
		int n = i < 2 ? snprintf(folder.path, sizeof(folder.path), "%s/%d", parent, (int)getpid()) :
				snprintf(folder.path, sizeof(folder.path), "%s/%d.%d", parent, (int)getpid(), i);
		if (n >= (int)sizeof(folder.path)) {
			return gl_fail(err, GL_EIO, "%s: too long a name", parent);
		}
		if (mkdir(folder.path, 0700) != 0) {
			if (errno == EEXIST) {
				continue;
			}
			return gl_fail(err, GL_EIO, "%s: %s", folder.path, strerror(errno));
		}
		int dir = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &st) == 0 && st.st_nlink > 0) {
			folder.lock = dir;
			return 0;
		}
		if (dir >= 0) {
			close(dir);
		}
	}
	return gl_fail(err, GL_EIO, "%s: no folder can be made in it", parent);
}

/* Can code be mapped from a file there? */
static int try_folder(struct gl_error *err)
{
	char path[PATH_MAX];
	size_t size = gl_page_size();

	snprintf(path, sizeof(path), "%s/try", folder.path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	void *p = fd >= 0 && ftruncate(fd, (off_t)size) == 0 ?
			  mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) :
			  MAP_FAILED;
	int why = errno;

	if (p != MAP_FAILED) {
		munmap(p, size);
	}
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	if (p != MAP_FAILED) {
		return 0;
	}
	close(folder.lock);
	rmdir(folder.path);
	return gl_fail(err, GL_EIO, "%s: code can't be mapped from files there: %s", folder.path,
		       why == EPERM ? "it is mounted noexec" : strerror(why));
}

static int open_in(const char *parent, struct gl_error *err)
{
	if (make_own(parent, err) != 0) {
		return -1;
	}
	remove_leftovers(parent);
	if (make_folder(parent, err) != 0 || try_folder(err) != 0) {
		return -1;
	}
	folder.owner = getpid();
	return 0;
}

int files_open(struct gl_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *temporary = getenv("TMPDIR");
	char parent[PATH_MAX - NAME_MAX];
	struct gl_error first = { 0 };

	if (files_are_open()) {
		return 0;
	}
	if (runtime != NULL && runtime[0] == '/') {
		snprintf(parent, sizeof(parent), "%s/goloader", runtime);
		if (open_in(parent, &first) == 0) {
			return 0;
		}
	}
	temporary = temporary != NULL && temporary[0] == '/' ? temporary : "/tmp";
	snprintf(parent, sizeof(parent), "%s/goloader-debug-%u", temporary, (unsigned)geteuid());
	if (open_in(parent, err) == 0) {
		return 0;
	}
	struct gl_error second = *err;
	return gl_fail(err, GL_EIO, "loaded code can't be kept as files for debuggers: %s%s%s", first.message,
		       first.message[0] != 0 ? "; " : "", second.message);
}

bool files_are_open(void) { return folder.owner != 0 && folder.owner == getpid(); }

void files_keep(void) { folder.stays = true; }

/* At exit. Who runs code of a file then has it as long as it is mapped. */
__attribute__((destructor)) static void remove_folder(void)
{
	if (files_are_open() && !folder.stays) {
		remove_all(folder.lock, folder.path);
	}
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* The last part of a module's name, in letters that mean nothing to any tool. */
static struct code_file *name_file(const char *name, unsigned long number)
{
	enum { MOST = 100 };
	const char *last = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
	size_t size = strlen(folder.path) + MOST + 40;
	struct code_file *file = malloc(sizeof(*file) + size);

	if (file == NULL) {
		return NULL;
	}
	*file = (struct code_file){ 0 };
	int at = snprintf(file->path, size, "%s/", folder.path);
	int end = snprintf(file->path + at, size - (size_t)at, "%.*s", MOST, last) + at;
	for (char *p = file->path + at; p < file->path + end; p++) {
		bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
		*p = is_plain || *p == '.' || *p == '-' ? *p : '_';
	}
	snprintf(file->path + end, size - (size_t)end, "-%lu.so", number);
	return file;
}

/* Time, process and place: no two files have the same. */
static void write_id(struct symfile_text *text)
{
	struct timespec now;
	pid_t pid = getpid();
	uintptr_t at = (uintptr_t)text->p;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	memcpy(text->id, &ns, sizeof(ns));
	memcpy(text->id + sizeof(ns), &pid, sizeof(pid));
	memcpy(text->id + sizeof(ns) + sizeof(pid), &at, sizeof(at));
}

/* Where the next page that is mapped will most likely lie. */
static uintptr_t free_page(void)
{
	void *p = mmap(NULL, gl_page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		return 0;
	}
	munmap(p, gl_page_size());
	return (uintptr_t)p;
}

static int write_file(int fd, const struct symfile *s)
{
	size_t size;
	uint8_t *content = symfile_write(s, &size);

	if (content == NULL) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t at = 0; at < size;) {
		ssize_t n = pwrite(fd, content + at, size - at, (off_t)at);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			int why = n == 0 ? ENOSPC : errno;
			free(content);
			errno = why;
			return -1;
		}
		at += (size_t)n;
	}
	free(content);
	return 0;
}

/* Has the dynamic linker list the file. Without that, only debuggers that read nothing else don't know it. */
static int list_file(struct code_file *file, int fd, struct symfile *s, struct symfile_text *text)
{
	const struct link_map *listed;

	file->library = dlopen(file->path, RTLD_NOW | RTLD_LOCAL);
	if (file->library != NULL && dlinfo(file->library, RTLD_DI_LINKMAP, &listed) == 0 && listed->l_addr != 0) {
		text->bias = listed->l_addr;
		if (write_file(fd, s) != 0) {
			return -1;
		}
	}
	symfile_show_text(fd);
	return 0;
}

/* Has core files have the pages. */
static void touch(const uint8_t *base, size_t size)
{
	const uint8_t *last = base + size - 1;
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	if (memory < 0) {
		return;
	}
	if (pwrite(memory, last, 1, (off_t)(uintptr_t)last) != 1) {
		/* a kernel that allows nobody to: core files lack the code, all else is as it should be */
	}
	close(memory);
}

static int map_file(int fd, const uint8_t *base, size_t size)
{
	void *p = mmap((void *)base, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, (off_t)gl_page_size());

	if (p == MAP_FAILED) {
		return -1;
	}
	touch(base, size);
	return 0;
}

static void say(const struct code_file *file, int why)
{
	if (!folder.failed) {
		fprintf(stderr, "goloader: %s: %s: debuggers have no file of it\n", file->path, strerror(why));
	}
	folder.failed = true;
}

static int fill(struct code_file *file, int fd, struct symfile *s, struct symfile_text *text)
{
	return write_file(fd, s) != 0 || list_file(file, fd, s, text) != 0 || map_file(fd, text->p, text->size) != 0 ?
		       -1 :
		       0;
}

struct code_file *files_add(struct symfile *s, const uint8_t *base, size_t size, unsigned long number,
			    uintptr_t descriptors)
{
	struct symfile_text text = { .p = base, .size = size, .header = free_page(), .descriptors = descriptors };
	struct code_file *file = name_file(s->name, number);

	if (file == NULL) {
		return NULL;
	}
	write_id(&text);
	s->text = &text;
	int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int failed = fd < 0 ? -1 : fill(file, fd, s, &text);
	int why = errno;

	s->text = NULL;
	if (fd >= 0) {
		close(fd);
	}
	if (failed != 0) {
		say(file, why);
		files_remove(file);
		return NULL;
	}
	folder.failed = false;
	file->is_whole = true;
	return file;
}

void files_remove(struct code_file *file)
{
	if (file->library != NULL) {
		dlclose(file->library);
	}
	if (files_are_open() && !(folder.stays && file->is_whole)) {
		unlink(file->path);
	}
	free(file);
}
