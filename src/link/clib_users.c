/* Who still uses the C parts of a module that is gone, or is to go?
 *
 * When a library of C's is closed its memory is unmapped, and whoever runs it or calls it then dies. Go's half has been
 * proved to be unreachable, but C keeps no account of its own. So this file looks where C can hold on to code:
 *
 * 1. Signal handlers: the kernel tells each, and the Go runtime has a list of those that were there before its own.
 *
 * 2. Threads: where one stands, and to where the functions on its stack will return. The kernel tells the registers
 *    of a thread that waits, which the thread doesn't notice; one that computes is asked again a little later. A
 *    thread of the Go runtime's own is in C only while a goroutine on it has called C, and a goroutine that called the
 *    module's C parts from the module's code has been found before.
 *
 * 3. Memory: functions that C has given to other libraries, to be called later (destructors of pthread_key_create,
 *    timers, callbacks). They are in variables of other libraries, or in what malloc has handed out.
 *
 * The first two refuse an unload, and the answer names the signal or the thread: on the stack of a thread that waits, a
 * word counts that leads right behind a call in the library. The third is less certain, since a word in memory may be a
 * leftover; and nothing is known of a thread that never stops computing, or of a goroutine's thread that is in another
 * library. For those the module goes, but its library stays where it is until another one is released, when all that
 * stayed is looked at again.
 *
 * What is hidden can't be found here: functions given to on_exit, which the C library keeps scrambled (those given to
 * atexit are called when the library is closed), and functions in large blocks of malloc's, which have mappings of
 * their own and are not read. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../host/runtime.h"
#include "../memory/arena.h"
#include "clib_users.h"

/* ---- what came with a library ----------------------------------------------------------------------------------- */

static int count_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct clib_snapshot *s = arg;
	uintptr_t *grown = realloc(s->bases, (s->n + 1) * sizeof(*grown));

	(void)size;
	if (grown == NULL) {
		return -1;
	}
	s->bases = grown;
	s->bases[s->n++] = info->dlpi_addr;
	return 0;
}

int clib_snapshot_take(struct clib_snapshot *before) { return dl_iterate_phdr(count_object, before); }

struct comparison {
	const struct clib_snapshot *before;
	struct clib *lib;
};

static void set_object(struct clib_object *o, const struct dl_phdr_info *info)
{
	*o = (struct clib_object){ .base = info->dlpi_addr, .low = UINTPTR_MAX };
	snprintf(o->name, sizeof(o->name), "%s", info->dlpi_name);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + p->p_vaddr, high = low + p->p_memsz;
		if (p->p_type != PT_LOAD) {
			continue;
		}
		o->low = low < o->low ? low : o->low;
		o->high = high > o->high ? high : o->high;
		if ((p->p_flags & PF_X) != 0) {
			o->text = low;
			o->etext = high;
		}
	}
}

static int compare_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct comparison *c = arg;
	struct clib *lib = c->lib;
	bool is_itself = info->dlpi_addr == ((struct link_map *)lib->handle)->l_addr;

	(void)size;
	for (size_t i = 0; i < c->before->n && !is_itself; i++) {
		if (c->before->bases[i] == info->dlpi_addr) {
			return 0;
		}
	}
	struct clib_object *grown = realloc(lib->objects, (lib->nobjects + 1) * sizeof(*grown));
	if (grown == NULL) {
		return -1;
	}
	lib->objects = grown;
	set_object(&grown[lib->nobjects], info);
	if (is_itself) {
		struct clib_object first = grown[0];
		grown[0] = grown[lib->nobjects];
		grown[lib->nobjects] = first;
	}
	lib->nobjects++;
	return 0;
}

int clib_snapshot_compare(const struct clib_snapshot *before, struct clib *lib)
{
	struct comparison c = { .before = before, .lib = lib };

	return dl_iterate_phdr(compare_object, &c) == 0 && lib->nobjects > 0 ? 0 : -1;
}

/* ---- one search ------------------------------------------------------------------------------------------------- */

struct mapping {
	uintptr_t low, high;
	bool readable, writable, is_file, is_brk;
};

struct search {
	struct clib *list;   /* the libraries that are asked about */
	uintptr_t low, high; /* around all of them: most words can be told apart at once */
	const struct clib_go *go;
	char *who; /* NULL where nobody wants to know */
	size_t size;
	int memory;  /* /proc/self/mem: what another thread unmaps meanwhile can be read with an error, not a fault */
	int pagemap; /* /proc/self/pagemap, or -1 */
	uintptr_t *buffer;
	struct mapping *mappings;
	size_t nmappings;
};

enum { BUFFER = 1 << 20 };

static struct clib_object *object_at(const struct search *s, uintptr_t w, struct clib **lib)
{
	if (w < s->low || w >= s->high) {
		return NULL;
	}
	for (struct clib *l = s->list; l != NULL; l = l->next) {
		for (size_t i = 0; i < l->nobjects; i++) {
			if (l->objects[i].low <= w && w < l->objects[i].high) {
				*lib = l;
				return &l->objects[i];
			}
		}
	}
	return NULL;
}

static bool is_code(const struct clib_object *o, uintptr_t w) { return o->text <= w && w < o->etext; }

/* What a library's file says of an address: its own table of symbols has the local ones, too, which the dynamic linker
 * doesn't know. */
struct symbol {
	uintptr_t at;       /* in the file */
	char function[200]; /* that it is in */
	bool is_function;   /* a function starts there that C could have been given */
};

static void match_symbol(struct symbol *s, const GElf_Sym *sym, const char *name)
{
	if (GELF_ST_TYPE(sym->st_info) != STT_FUNC || sym->st_shndx == SHN_UNDEF) {
		return;
	}
	if (s->at - sym->st_value < sym->st_size) {
		snprintf(s->function, sizeof(s->function), "%s", name);
	}
	/* the dynamic linker knows where a library's first and last function are */
	s->is_function =
		s->is_function || (s->at == sym->st_value && strcmp(name, "_init") != 0 && strcmp(name, "_fini") != 0);
}

/* Without such a table every address could be anything. */
static struct symbol find_symbol(const struct clib *lib, uintptr_t at)
{
	Elf *elf = lib->fd >= 0 && elf_version(EV_CURRENT) != EV_NONE ? elf_begin(lib->fd, ELF_C_READ, NULL) : NULL;
	struct symbol s = { .at = at - lib->objects[0].base, .function = "a function" };
	bool has_table = false;

	for (Elf_Scn *scn = NULL; elf != NULL && (scn = elf_nextscn(elf, scn)) != NULL;) {
		GElf_Shdr header;
		GElf_Sym sym;
		Elf_Data *data = NULL;
		if (gelf_getshdr(scn, &header) == NULL || header.sh_type != SHT_SYMTAB ||
		    (data = elf_getdata(scn, NULL)) == NULL) {
			continue;
		}
		has_table = true;
		for (int i = 0; gelf_getsym(data, i, &sym) != NULL; i++) {
			const char *name = elf_strptr(elf, header.sh_link, sym.st_name);
			match_symbol(&s, &sym, name != NULL ? name : "");
		}
	}
	elf_end(elf);
	if (!has_table) {
		s.is_function = is_code(&lib->objects[0], at);
	}
	return s;
}

/* Notes that an object is used, or may be. A user refuses the unload, and is named, only if the object is the module's
 * own library: a library that this depends on may be in use by others in the process as well. */
static void note(const struct search *s, struct clib *lib, struct clib_object *o, enum clib_use use, uintptr_t at,
		 const char *by)
{
	if (use == CLIB_USED && o != lib->objects) {
		use = CLIB_MAY_BE_USED;
	}
	if (use == CLIB_USED && o->use != CLIB_USED && s->who != NULL) {
		snprintf(s->who, s->size, "%s %s of its C parts", by, find_symbol(lib, at).function);
	}
	o->use = use > o->use ? use : o->use;
}

/* Something can't be looked at: all libraries may be used. */
static void note_unknown(const struct search *s)
{
	for (struct clib *lib = s->list; lib != NULL; lib = lib->next) {
		for (size_t i = 0; i < lib->nobjects; i++) {
			note(s, lib, &lib->objects[i], CLIB_MAY_BE_USED, 0, NULL);
		}
	}
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */

static void look_at_signals(const struct search *s)
{
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction action;
		char by[64];
		struct clib *lib = NULL;
		uintptr_t handlers[2] = { 0 };

		if (sigaction(sig, NULL, &action) == 0) {
			handlers[0] = (uintptr_t)action.sa_handler;
		}
		/* who was there before the Go runtime is called by it, and comes back when it doesn't want the signal
		 */
		handlers[1] = s->go->handled[sig] != 0 ? s->go->forwarded[sig] : 0;
		snprintf(by, sizeof(by), "signal %d (%s) is handled by", sig, strsignal(sig));
		for (int i = 0; i < 2; i++) {
			struct clib_object *o = object_at(s, handlers[i], &lib);
			if (o != NULL) {
				note(s, lib, o, CLIB_USED, handlers[i], by);
			}
		}
	}
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static int read_mappings(struct search *s)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512], path[8];
	size_t cap = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		unsigned long low, high, inode;
		char r, w;
		path[0] = '\0';
		if (strchr(line, '\n') == NULL) { /* a long name: the rest of the line is of no interest */
			for (int c = 0; c != EOF && c != '\n';) {
				c = fgetc(file);
			}
		}
		if (sscanf(line, "%lx-%lx %c%c%*c%*c %*x %*s %lu %7s", &low, &high, &r, &w, &inode, path) < 5) {
			continue;
		}
		if (s->nmappings == cap) {
			cap = cap == 0 ? 256 : cap * 2;
			struct mapping *grown = realloc(s->mappings, cap * sizeof(*grown));
			if (grown == NULL) {
				fclose(file);
				return -1;
			}
			s->mappings = grown;
		}
		s->mappings[s->nmappings++] = (struct mapping){ .low = low,
								.high = high,
								.readable = r == 'r',
								.writable = w == 'w',
								.is_file = inode != 0,
								.is_brk = strncmp(path, "[heap]", 6) == 0 };
	}
	if (file == NULL) {
		return -1;
	}
	fclose(file);
	return 0;
}

static const struct mapping *mapping_at(const struct search *s, uintptr_t p)
{
	for (size_t i = 0; i < s->nmappings; i++) {
		if (s->mappings[i].low <= p && p < s->mappings[i].high) {
			return &s->mappings[i];
		}
	}
	return NULL;
}

typedef bool word_found(const struct search *s, uintptr_t w, struct clib *lib, struct clib_object *o, void *arg);

/* Looks at words that have been touched. Another thread may unmap them at any moment: then nobody needs them. */
static void look_at_words(const struct search *s, uintptr_t low, uintptr_t high, word_found *found, void *arg)
{
	while (low < high) {
		ssize_t n = pread(s->memory, s->buffer, high - low < BUFFER ? high - low : BUFFER, (off_t)low);
		if (n < (ssize_t)sizeof(uintptr_t)) {
			return;
		}
		for (size_t i = 0; i < (size_t)n / sizeof(uintptr_t); i++) {
			struct clib *lib = NULL;
			struct clib_object *o = object_at(s, s->buffer[i], &lib);
			if (o != NULL && found(s, s->buffer[i], lib, o, arg)) {
				return;
			}
		}
		low += (size_t)n & ~(sizeof(uintptr_t) - 1);
	}
}

/* Calls found for each word between two addresses that leads into one of the libraries, until that says it is done.
 * Pages that nobody has touched hold nothing, and most of a Go program's variables are such. */
static void each_word(const struct search *s, uintptr_t low, uintptr_t high, word_found *found, void *arg)
{
	const uint64_t touched = UINT64_C(3) << 62; /* in memory, or swapped out */
	uint64_t pages[512];
	size_t page = gl_page_size();

	low = (low + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
	while (low < high) {
		size_t first = low / page, n = (high + page - 1) / page - first;
		n = n < sizeof(pages) / sizeof(pages[0]) ? n : sizeof(pages) / sizeof(pages[0]);
		size_t want = n * sizeof(pages[0]);
		bool known = pread(s->pagemap, pages, want, (off_t)(first * sizeof(pages[0]))) == (ssize_t)want;
		for (size_t i = 0, end; i < n; i = end + 1) {
			for (end = i; end < n && (!known || (pages[end] & touched) != 0); end++) {
			}
			uintptr_t from = (first + i) * page, to = (first + end) * page;
			look_at_words(s, from > low ? from : low, to < high ? to : high, found, arg);
		}
		low = (first + n) * page;
	}
}

/* A word in memory that nobody knows the meaning of counts when it is a function that could be called. Data doesn't:
 * the records that the C library and its dynamic linker keep of a library are full of that. */
static bool note_word(const struct search *s, uintptr_t w, struct clib *lib, struct clib_object *o, void *arg)
{
	(void)arg;
	if (o->use == CLIB_UNUSED && is_code(o, w) &&
	    (o == lib->objects ? find_symbol(lib, w).is_function : w != o->text)) {
		note(s, lib, o, CLIB_MAY_BE_USED, w, NULL);
	}
	return false;
}

/* Looks at variables, but for the Go runtime's list of signal handlers: look_at_signals has looked at those that will
 * be called. The others stay listed when they have been put back (runtime.disableSignal), until Go handles the signal
 * again. */
static void look_around_signals(const struct search *s, uintptr_t low, uintptr_t high)
{
	uintptr_t list = (uintptr_t)s->go->forwarded, end = (uintptr_t)(s->go->forwarded + NSIG);

	if (low <= list && end <= high) {
		each_word(s, low, list, note_word, NULL);
		low = end;
	}
	each_word(s, low, high, note_word, NULL);
}

/* Variables of every other object. */
static int look_at_variables(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct search *s = arg;
	struct clib *lib = NULL;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && (p->p_flags & PF_W) != 0 && object_at(s, low, &lib) == NULL) {
			look_around_signals(s, low, low + p->p_memsz);
		}
	}
	return 0;
}

/* Looks at what malloc has handed out from its arenas for threads. Those are made of pieces that begin at multiples of
 * 64 MB with a struct heap_info (glibc, malloc/arena.c): the arena, the piece before, the bytes in use and the bytes
 * that are readable and writable. The Go runtime's arenas lie at such addresses too, since 1.26 at random ones, but
 * don't begin like that; what is in them has been looked through by the proof, and old words in them mean nothing. */
static void look_at_arenas(const struct search *s, const struct mapping *m)
{
	const uintptr_t most = (uintptr_t)64 << 20;
	uintptr_t at = (m->low + most - 1) & ~(most - 1);

	for (; at < m->high; at += most) {
		uintptr_t info[4]; /* ar_ptr, prev, size, mprotect_size */
		if (pread(s->memory, info, sizeof(info), (off_t)at) != (ssize_t)sizeof(info)) {
			return;
		}
		if (info[0] != 0 && info[1] % most == 0 && info[2] > 0 && info[2] % gl_page_size() == 0 &&
		    info[2] <= info[3] && info[3] <= most && info[3] <= m->high - at) {
			each_word(s, at, at + info[2], note_word, NULL);
		}
	}
}

static void look_at_heap(const struct search *s)
{
	for (size_t i = 0; i < s->nmappings; i++) {
		const struct mapping *m = &s->mappings[i];
		if (m->is_brk) {
			each_word(s, m->low, m->high, note_word, NULL);
		} else if (m->writable && !m->is_file) {
			look_at_arenas(s, m);
		}
	}
	for (char **e = environ; e != NULL && *e != NULL; e++) { /* putenv keeps what it is given */
		struct clib *lib = NULL;
		struct clib_object *o = object_at(s, (uintptr_t)*e, &lib);
		if (o != NULL) {
			note(s, lib, o, CLIB_MAY_BE_USED, (uintptr_t)*e, NULL);
		}
	}
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

enum { COMPUTES, WAITS, HAS_ENDED, IS_HIDDEN };

/* Where a thread stands: /proc/…/syscall says "running", or ends in stack pointer and program counter. */
static int registers_of(pid_t tid, uintptr_t *sp, uintptr_t *pc)
{
	char name[64], text[256];
	int fd, what = COMPUTES;

	snprintf(name, sizeof(name), "/proc/self/task/%d/syscall", tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno == ENOENT || errno == ESRCH ? HAS_ENDED : IS_HIDDEN;
	}
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n <= 0) {
		what = n < 0 && errno != ESRCH ? IS_HIDDEN : HAS_ENDED;
	} else {
		text[n] = '\0';
		char *last = strrchr(text, ' ');
		char *before = last != NULL ? memrchr(text, ' ', (size_t)(last - text)) : NULL;
		if (before != NULL) {
			*sp = strtoul(before + 1, NULL, 16);
			*pc = strtoul(last + 1, NULL, 16);
			what = *sp != 0 ? WAITS : HAS_ENDED; /* a thread that is ending has no registers any more */
		}
	}
	close(fd);
	return what;
}

static const struct gl_thread *known_thread(const struct search *s, pid_t tid)
{
	for (size_t i = 0; i < s->go->nthreads; i++) {
		if (s->go->threads[i].id == (uint64_t)tid) {
			return &s->go->threads[i];
		}
	}
	return NULL;
}

struct look {
	enum clib_use use;
	char by[96];
};

/* Is w where a call returns to? Of calls: E8 and four bytes, or FF /2 with two to seven bytes in all. */
static bool is_return_address(const struct search *s, const struct clib_object *o, uintptr_t w)
{
	uint8_t code[8];

	if (!is_code(o, w) || w - sizeof(code) < o->text ||
	    pread(s->memory, code, sizeof(code), (off_t)(w - sizeof(code))) != (ssize_t)sizeof(code)) {
		return false;
	}
	if (code[3] == 0xe8) {
		return true;
	}
	for (size_t n = 2; n <= 7; n++) {
		if (code[8 - n] == 0xff && (code[9 - n] >> 3 & 7) == 2) {
			return true;
		}
	}
	return false;
}

static bool note_return(const struct search *s, uintptr_t w, struct clib *lib, struct clib_object *o, void *arg)
{
	const struct look *look = arg;

	if (is_return_address(s, o, w)) {
		note(s, lib, o, look->use, w, look->by);
	}
	return false;
}

/* Looks through a stack from an address to its end: the end of its mapping. */
static void look_at_stack(struct search *s, uintptr_t sp, struct look *look)
{
	const struct mapping *m = mapping_at(s, sp);

	if (m == NULL) { /* younger than the list */
		s->nmappings = 0;
		m = read_mappings(s) == 0 ? mapping_at(s, sp) : NULL;
	}
	if (m != NULL) {
		each_word(s, sp, m->high, note_return, look);
	} else {
		note_unknown(s);
	}
}

static void name_thread(pid_t tid, char *by, size_t size)
{
	char name[64], comm[32] = "";
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/task/%d/comm", tid);
	file = fopen(name, "re");
	if (file != NULL) {
		if (fgets(comm, sizeof(comm), file) != NULL) {
			comm[strcspn(comm, "\n")] = '\0';
		}
		fclose(file);
	}
	snprintf(by, size, "thread %d (%s) is in", tid, comm);
}

/* Returns whether all has been seen that can be. */
static bool look_at_thread(struct search *s, pid_t tid)
{
	const struct gl_thread *known = known_thread(s, tid);
	bool is_gos = known != NULL && !known->is_foreign;
	struct look look = { .use = is_gos ? CLIB_MAY_BE_USED : CLIB_USED };
	uintptr_t sp = 0, pc = 0;
	struct clib *lib = NULL;

	if (is_gos && !known->is_in_c) {
		return true;
	}
	switch (registers_of(tid, &sp, &pc)) {
	case COMPUTES: return false;
	case HAS_ENDED: return true;
	case IS_HIDDEN: note_unknown(s); return true;
	default: break;
	}
	name_thread(tid, look.by, sizeof(look.by));
	struct clib_object *o = object_at(s, pc, &lib);
	if (o != NULL) {
		note(s, lib, o, look.use, pc, look.by);
	}
	look_at_stack(s, sp, &look);
	if (known != NULL && (sp < known->stack_low || sp >= known->stack_high)) {
		look_at_stack(s, known->stack_at, &look); /* it is on a goroutine's stack at the moment */
	}
	return true;
}

/* Threads that are found computing are asked again, ten times in ten milliseconds. */
static void look_at_threads(struct search *s)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t self = (pid_t)syscall(SYS_gettid);
	bool all = false;

	for (int tries = 0; tries < 10 && !all; tries++) {
		DIR *dir = opendir("/proc/self/task");
		if (tries > 0) {
			nanosleep(&pause, NULL);
		}
		all = dir != NULL;
		for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
			pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
			all = (tid <= 0 || tid == self || look_at_thread(s, tid)) && all;
		}
		if (dir != NULL) {
			closedir(dir);
		}
	}
	if (!all) {
		note_unknown(s);
	}
}

void clib_find_users(struct clib *list, const struct clib_go *go, char *who, size_t size)
{
	struct search s = { .list = list, .low = UINTPTR_MAX, .go = go, .who = who, .size = size };

	for (struct clib *lib = list; lib != NULL; lib = lib->next) {
		for (size_t i = 0; i < lib->nobjects; i++) {
			struct clib_object *o = &lib->objects[i];
			o->use = CLIB_UNUSED;
			s.low = o->low < s.low ? o->low : s.low;
			s.high = o->high > s.high ? o->high : s.high;
		}
	}
	s.memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	s.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	/* not malloc's: what is copied there would be found again */
	s.buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	look_at_signals(&s);
	if (s.memory < 0 || s.buffer == MAP_FAILED || read_mappings(&s) != 0) {
		note_unknown(&s);
	} else if (who != NULL) {
		look_at_threads(&s);
	} else {
		look_at_threads(&s);
		dl_iterate_phdr(look_at_variables, &s);
		look_at_heap(&s);
	}
	if (s.buffer != MAP_FAILED) {
		munmap(s.buffer, BUFFER);
	}
	if (s.memory >= 0) {
		close(s.memory);
	}
	if (s.pagemap >= 0) {
		close(s.pagemap);
	}
	free(s.mappings);
}
