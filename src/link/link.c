/* One load's data: its growing arrays, and its end. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

int link_out_of_memory(struct link *l)
{
	l->failed = true;
	return gl_fail(l->err, GL_ENOMEM, "out of memory while linking");
}

/* Appends to a growing array; on failure the link is marked as failed and the caller goes on to the next check. */
void link_push(struct link *l, uint32_t **array, uint32_t *n, uint32_t *cap, uint32_t v)
{
	if (!GL_GROW(*array, *n, *cap)) {
		link_out_of_memory(l);
		return;
	}
	(*array)[(*n)++] = v;
}

void link_free(struct link *l)
{
	for (struct lpkg *p = l->linker->archives; p != NULL; p = p->hh.next) {
		p->init_scheduled = p->gave = false; /* what this load has planned, the next one plans anew */
	}
	for (uint32_t i = 0; i < l->ntouched; i++) {
		struct lobj *obj = (struct lobj *)l->touched[i];
		for (int v = 0; v < NUNITS; v++) {
			free(obj->locals[v]);
			free(obj->refs[v]);
			obj->locals[v] = obj->refs[v] = NULL;
		}
		free(obj->pctab);
		obj->pctab = NULL;
	}
	for (int v = 0; v < NUNITS; v++) {
		HASH_CLEAR(hh, l->by_name[v][0]);
		HASH_CLEAR(hh, l->by_name[v][1]);
		HASH_CLEAR(hh, l->by_hash[v]);
		free(l->builtins[v]);
		unit_free(&l->units[v]);
	}
	/* What is left in freed memory of the addresses of C functions would look as if somebody held on to those
	 * (clib_users.c). */
	for (uint32_t i = 0; i < l->nsyms; i++) {
		if (link_sym(l, i)->is_far) {
			explicit_bzero(&link_sym(l, i)->addr, sizeof(link_sym(l, i)->addr));
		}
	}
	for (uint32_t i = 0; i < l->nchunks; i++) {
		free(l->chunks[i]);
	}
	for (uint32_t i = 0; i < l->nmissing_packages; i++) {
		free(l->missing_packages[i]);
	}
	free(l->missing_packages);
	free(l->wanted_clibs);
	free(l->unlinked);
	clib_close(l->clib);
	free(l->chunks);
	free(l->touched);
	free(l->work);
	free(l->placed);
	free(l->inits);
	free(l->init_imports);
	free(l->extra_inits);
	free(l->missing);
	for (uint32_t i = 0; i < l->npackages; i++) {
		lpkg_close(&l->packages[i]);
	}
	free(l->packages);
	struct lpkg *shipped = l->shipped, *next_shipped;
	HASH_CLEAR(hh, l->shipped);
	for (; shipped != NULL; shipped = next_shipped) {
		next_shipped = shipped->hh.next;
		lpkg_close(shipped);
		free(shipped);
	}
	for (size_t i = 0; l->shipped_clibs != NULL && i < l->gom->nlibraries; i++) {
		clib_close(l->shipped_clibs[i]);
	}
	free(l->shipped_clibs);
	gl_gom_close(l->gom);
	struct tied_package *tie = l->ties, *next;
	HASH_CLEAR(hh, l->ties);
	for (; tie != NULL; tie = next) {
		next = tie->hh.next;
		free(tie);
	}
}
