/* Who reaps any child, reaps Go's for Go.
 *
 * nginx's handler of SIGCHLD calls waitpid(-1) until there is no dead child left, and so does the Lua module's
 * ngx.pipe. A program calls such a function of the C library through a slot of its own, in which the dynamic linker has
 * put the function's address (the "global offset table"). We put ours there instead. It must be fit for a signal
 * handler: it takes no lock and allocates nothing. */
#include "children.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct gl_children table;

struct gl_children *gl_children(void) { return &table; }

void gl_children_forget(void)
{
	memset(table.state, 0, sizeof(table.state));
	table.reapers = 0;
}

/* ---- what reaps ------------------------------------------------------------------------------------------------- */

/* Keeps the status of a dead child, if it is one of Go's. */
static bool keep(pid_t pid, int status, const struct rusage *usage)
{
	for (int i = 0; i < GL_CHILDREN; i++) {
		if (__atomic_load_n(&table.state[i], __ATOMIC_ACQUIRE) == GL_CHILD_LIVES && table.pid[i] == pid) {
			table.status[i] = status;
			table.usage[i] = *usage;
			__atomic_store_n(&table.state[i], GL_CHILD_REAPED, __ATOMIC_RELEASE);
			return true;
		}
	}
	return false;
}

static pid_t our_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	struct rusage used;
	int how = 0;
	pid_t reaped;
	bool is_kept;

	if (pid > 0) {
		return wait4(pid, status, options, usage);
	}
	do {
		__atomic_fetch_add(&table.reapers, 1, __ATOMIC_SEQ_CST);
		reaped = wait4(pid, &how, options, &used);
		is_kept = reaped > 0 && (WIFEXITED(how) || WIFSIGNALED(how)) && keep(reaped, how, &used);
		__atomic_fetch_sub(&table.reapers, 1, __ATOMIC_SEQ_CST);
	} while (is_kept);
	if (reaped > 0 && status != NULL) {
		*status = how;
	}
	if (reaped > 0 && usage != NULL) {
		*usage = used;
	}
	return reaped;
}

static pid_t our_waitpid(pid_t pid, int *status, int options) { return our_wait4(pid, status, options, NULL); }
static pid_t our_wait(int *status) { return our_wait4(-1, status, 0, NULL); }
static pid_t our_wait3(int *status, int options, struct rusage *usage) { return our_wait4(-1, status, options, usage); }

static int status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED: return (info->si_status & 0xff) << 8;
	case CLD_DUMPED: return info->si_status | WCOREFLAG;
	default: return info->si_status;
	}
}

static int our_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t found;
	struct rusage used;
	bool is_kept;
	int result;

	/* who only looks takes nothing away */
	if ((type != P_ALL && type != P_PGID) || (options & WNOWAIT) != 0) {
		return waitid(type, id, info, options);
	}
	do {
		found.si_pid = 0;
		__atomic_fetch_add(&table.reapers, 1, __ATOMIC_SEQ_CST);
		result = (int)syscall(SYS_waitid, type, id, &found, options, &used);
		is_kept = result == 0 && found.si_pid > 0 &&
			  (found.si_code == CLD_EXITED || found.si_code == CLD_KILLED || found.si_code == CLD_DUMPED) &&
			  keep(found.si_pid, status_of(&found), &used);
		__atomic_fetch_sub(&table.reapers, 1, __ATOMIC_SEQ_CST);
	} while (is_kept);
	if (result == 0 && info != NULL) {
		*info = found;
	}
	return result;
}

/* ---- where it is called from ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void *ours;
} functions[] = {
	{ "waitpid", (void *)our_waitpid }, { "__waitpid", (void *)our_waitpid }, { "wait", (void *)our_wait },
	{ "wait3", (void *)our_wait3 },     { "wait4", (void *)our_wait4 },       { "waitid", (void *)our_waitid },
};

/* A loaded library's tables. */
struct library {
	const ElfW(Sym) * symbols;
	const char *strings;
	const ElfW(Rela) * relocations[2];
	size_t sizes[2];
	uintptr_t relro, erelro; /* what the dynamic linker has made read-only, whole pages */
};

static void read_dynamic(struct library *lib, const ElfW(Dyn) * dynamic, uintptr_t base)
{
	for (const ElfW(Dyn) *d = dynamic; d->d_tag != DT_NULL; d++) {
		/* glibc has added the base, where it could write */
		uintptr_t at = d->d_un.d_ptr < base ? base + d->d_un.d_ptr : d->d_un.d_ptr;
		switch (d->d_tag) {
		case DT_SYMTAB: lib->symbols = (const ElfW(Sym) *)at; break;
		case DT_STRTAB: lib->strings = (const char *)at; break;
		case DT_JMPREL: lib->relocations[0] = (const ElfW(Rela) *)at; break;
		case DT_PLTRELSZ: lib->sizes[0] = d->d_un.d_val; break;
		case DT_RELA: lib->relocations[1] = (const ElfW(Rela) *)at; break;
		case DT_RELASZ: lib->sizes[1] = d->d_un.d_val; break;
		default: break;
		}
	}
}

static void set_slot(const struct library *lib, void **slot, void *value)
{
	uintptr_t page = (uintptr_t)slot & -(uintptr_t)getpagesize(), size = (uintptr_t)getpagesize();
	bool is_sealed = page >= lib->relro && page < lib->erelro;

	if (*slot == value || (is_sealed && mprotect((void *)page, size, PROT_READ | PROT_WRITE) != 0)) {
		return;
	}
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	if (is_sealed) {
		mprotect((void *)page, size, PROT_READ);
	}
}

static void set_slots(const struct library *lib, uintptr_t base)
{
	for (int t = 0; t < 2; t++) {
		size_t n = lib->relocations[t] != NULL ? lib->sizes[t] / sizeof(ElfW(Rela)) : 0;
		for (size_t i = 0; i < n; i++) {
			const ElfW(Rela) *r = &lib->relocations[t][i];
			if (ELF64_R_TYPE(r->r_info) != R_X86_64_JUMP_SLOT &&
			    ELF64_R_TYPE(r->r_info) != R_X86_64_GLOB_DAT) {
				continue;
			}
			const char *name = lib->strings + lib->symbols[ELF64_R_SYM(r->r_info)].st_name;
			for (size_t f = 0; name[0] != '\0' && f < sizeof(functions) / sizeof(functions[0]); f++) {
				if (strcmp(name, functions[f].name) == 0) {
					set_slot(lib, (void **)(base + r->r_offset), functions[f].ours);
				}
			}
		}
	}
}

static bool holds(const struct dl_phdr_info *info, const void *address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = (uintptr_t)address - info->dlpi_addr - p->p_vaddr;
		if (p->p_type == PT_LOAD && at < p->p_memsz) {
			return true;
		}
	}
	return false;
}

static int watch_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library lib = { 0 };
	const ElfW(Dyn) *dynamic = NULL;
	uintptr_t page = (uintptr_t)getpagesize();

	(void)size, (void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type == PT_DYNAMIC) {
			dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + p->p_vaddr);
		}
		if (p->p_type == PT_GNU_RELRO) {
			lib.relro = (info->dlpi_addr + p->p_vaddr) & -page;
			lib.erelro = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & -page;
		}
	}
	/* this one calls the C library's own */
	if (dynamic != NULL && !holds(info, &table)) {
		read_dynamic(&lib, dynamic, info->dlpi_addr);
		if (lib.symbols != NULL && lib.strings != NULL) {
			set_slots(&lib, info->dlpi_addr);
		}
	}
	return 0;
}

static int count_loads(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = info->dlpi_adds;
	return 1;
}

void gl_children_watch(void)
{
	static unsigned long long seen; /* libraries that had been loaded when this was last called */
	unsigned long long loads = 0;
	struct sigaction now;
	int error = errno;

	if (sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
		__atomic_store_n(&table.is_watched, 1, __ATOMIC_RELEASE);
	}
	dl_iterate_phdr(count_loads, &loads);
	if (loads != seen) {
		dl_iterate_phdr(watch_library, NULL);
		seen = loads;
	}
	errno = error;
}
