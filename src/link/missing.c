/* What is missing: symbols that nobody defines, and the packages that might. */
#include "resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void link_note_missing_package(struct link *l, struct gl_str path)
{
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		if (strlen(l->missing_packages[i]) == path.n && memcmp(l->missing_packages[i], path.p, path.n) == 0) {
			return;
		}
	}
	if (!GL_GROW(l->missing_packages, l->nmissing_packages, l->cap_missing_packages)) {
		return;
	}
	char *copy = malloc(path.n + 1);
	if (copy == NULL) {
		return;
	}
	link_plain_path(path, copy);
	l->missing_packages[l->nmissing_packages++] = copy;
}

void link_note_missing(struct link *l, uint32_t s)
{
	if (!link_sym(l, s)->missing) {
		link_sym(l, s)->missing = true;
		link_push(l, &l->missing, &l->nmissing, &l->cap_missing, s);
	}
}

/* What an object only referred to may have been defined by one that was looked through later. */
void link_forget_found(struct link *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->nmissing; i++) {
		if (link_sym(l, l->missing[i])->state == SYM_ABSENT) {
			l->missing[n++] = l->missing[i];
		}
	}
	l->nmissing = n;
}

/* Is there a function of that name whose entry is for the other ABI? Go's compiler makes the missing one where it sees
 * both sides: a declaration in Go of what the package's assembly defines, or refers to (go tool asm -gensymabis). */
static bool has_other_abi(struct link *l, const struct lsym *sym, struct lpkg *archive)
{
	uint8_t other = sym->want_abi == GL_ABI0 ? GL_ABIINTERNAL : GL_ABI0;
	struct gl_image_sym host;
	const struct ldef *def;

	for (uint32_t i = 0; i < l->npackages; i++) {
		def = lpkg_find(&l->packages[i], sym->name.p, sym->name.n, other);
		if (def != NULL && def->is_func) {
			return true;
		}
	}
	if (archive != NULL && archive->pkg != NULL) {
		def = lpkg_find(archive, sym->name.p, sym->name.n, other);
		return def != NULL && def->is_func;
	}
	return host_lookup(l, sym->name.p, sym->name.n, other, &host) && host.is_func;
}

int link_report_missing(struct link *l)
{
	char list[7000];
	size_t used = 0;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < l->nmissing; i++) {
		const struct lsym *sym = link_sym(l, l->missing[i]);
		const struct lsym *by = sym->referrer == NO_SYM ? NULL : link_sym(l, sym->referrer);
		struct gl_str path = link_package_of(sym->name);
		struct lpkg *p = NULL;

		if (l->gom == NULL && path.n > 0 && link_tie(l, sym->name) == TIE_NONE) {
			p = link_archive(l, path);
			if (p == NULL || (p->pkg == NULL && access(p->file, R_OK) != 0)) {
				link_note_missing_package(l, path);
			}
		}
		const char *abi = !has_other_abi(l, sym, p) ? "" :
				  sym->want_abi == GL_ABI0  ? "; there is one, but only as Go calls it: <ABIInternal>" :
							      "; there is one, but only as assembly calls it: <ABI0>";
		int n = snprintf(list + used, sizeof(list) - used, "%s%.*s%s (needed by %.*s%s)", shown > 0 ? ", " : "",
				 (int)sym->name.n, sym->name.p, sym->want_abi == GL_ABI0 ? " <ABI0>" : "",
				 by == NULL ? 4 : (int)by->name.n, by == NULL ? "load" : by->name.p, abi);
		if (n > 0 && (size_t)n < sizeof(list) - used) {
			used += (size_t)n;
			shown++;
		} else {
			list[used] = '\0';
		}
	}
	if (shown < l->nmissing) {
		return gl_fail(l->err, GL_EMISSING, "%u symbols are defined nowhere: %s, and %u more", l->nmissing,
			       list, l->nmissing - shown);
	}
	return gl_fail(l->err, GL_EMISSING, "%u symbol%s defined nowhere: %s", l->nmissing,
		       l->nmissing == 1 ? " is" : "s are", list);
}
