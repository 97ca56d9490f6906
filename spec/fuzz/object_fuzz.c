/* Fuzzing the object reader: whatever the bytes, opening says yes or no, and after a yes nothing can run out of the
 * file. `make fuzz` builds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disasm/disasm.h"
#include "disasm/nm.h"
#include "object/object.h"
#include "object/signature.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The reader's promises are about bytes: touch each one. */
static volatile unsigned sink;

static void touch(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sink += ((const uint8_t *)p)[i];
	}
}

static void touch_str(struct gl_str s) { touch(s.p, s.n); }

static void touch_ref(const struct gl_object *obj, struct gl_symref ref)
{
	uint32_t local = gl_object_local(obj, ref);

	if (local == UINT32_MAX) {
		touch_str(gl_object_refname(obj, ref));
	} else if (ref.pkg != GL_PKG_INVALID) {
		touch_str(gl_object_sym(obj, local).name);
	}
}

static void touch_symbol(const struct gl_object *obj, uint32_t i)
{
	struct gl_funcinfo fi;
	uint8_t hash[16];
	uint32_t size;

	touch_str(gl_object_sym(obj, i).name);
	const uint8_t *bytes = gl_object_data(obj, i, &size);
	touch(bytes, size);
	for (uint32_t j = 0; j < gl_object_nrelocs(obj, i); j++) {
		touch_ref(obj, gl_object_reloc(obj, i, j).sym);
	}
	for (uint32_t j = 0; j < gl_object_nauxs(obj, i); j++) {
		touch_ref(obj, gl_object_aux(obj, i, j).sym);
	}
	if (gl_object_is_hashed(obj, i)) {
		gl_object_hash(obj, i, hash);
		touch(hash, sizeof(hash));
	}
	if (gl_object_funcinfo(obj, i, &fi)) {
		for (uint32_t k = 0; k < fi.nfiles; k++) {
			touch_str(gl_object_file(obj, gl_funcinfo_file(&fi, k)));
		}
		for (uint32_t k = 0; k < fi.ninltree; k++) {
			struct gl_inlnode node = gl_funcinfo_inlnode(&fi, k);
			touch_str(gl_object_file(obj, node.file));
			touch_ref(obj, node.func);
		}
	}
}

static void touch_object(const struct gl_object *obj)
{
	for (uint32_t i = 1; i < gl_object_npkgs(obj); i++) {
		touch_str(gl_object_pkg(obj, i));
	}
	for (uint32_t i = 0; i < gl_object_nautolib(obj); i++) {
		touch_str(gl_object_autolib(obj, i));
	}
	for (uint32_t i = 0; i < gl_object_nfiles(obj); i++) {
		touch_str(gl_object_file(obj, i));
	}
	for (uint32_t i = 0; i < gl_object_nsyms(obj); i++) {
		touch_symbol(obj, i);
	}
	for (uint32_t i = gl_object_nsyms(obj); i < gl_object_ntotal(obj); i++) {
		touch_str(gl_object_sym(obj, i).name);
	}
}

static void touch_c(const struct gl_package *pkg)
{
	const struct gl_cgo *cgo = gl_package_cgo(pkg);

	for (uint32_t i = 0; i < gl_package_nforeigns(pkg); i++) {
		touch(gl_package_foreign(pkg, i)->data, gl_package_foreign(pkg, i)->size);
	}
	for (size_t i = 0; cgo != NULL && i < cgo->nimports; i++) {
		const struct gl_cgo_import *import = &cgo->imports[i];
		touch(import->remote, strlen(import->remote));
		if (gl_cgo_find_import(cgo, import->name, strlen(import->name)) == NULL) {
			abort();
		}
	}
	for (size_t i = 0; cgo != NULL && i < cgo->nexports; i++) {
		touch(cgo->exports[i].remote, strlen(cgo->exports[i].remote));
	}
	for (size_t i = 0; cgo != NULL && i < cgo->nldflags; i++) {
		touch(cgo->ldflags[i], strlen(cgo->ldflags[i]));
	}
	for (size_t i = 0; cgo != NULL && i < cgo->nvisible; i++) {
		touch(cgo->visible[i], strlen(cgo->visible[i]));
	}
}

static void touch_declarations(const struct gl_package *pkg)
{
	struct gl_declarations *decls;
	struct gl_error err;

	if (gl_declarations_read(pkg, abi, GL_DECLARATIONS_OWN, &decls, &err) == 0) {
		for (uint32_t i = 0; i < decls->n; i++) {
			free(gl_declaration_string(&decls->list[i]));
		}
		gl_declarations_free(decls);
	}
	/* DWARF, too, though export data made it unnecessary */
	for (uint32_t o = 0; o < gl_package_nobjects(pkg); o++) {
		const struct gl_object *obj = gl_package_object(pkg, o);
		for (uint32_t i = 0; i < gl_object_nsyms(obj); i++) {
			struct gl_signature *sig;
			if (gl_object_sym(obj, i).type == abi->STEXT &&
			    gl_signature_read(obj, i, abi, &sig, &err) == 0) {
				free(gl_signature_string(sig));
				gl_signature_free(sig);
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);
	char path[64];
	struct gl_error err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct gl_package *pkg = gl_package_open(path, NULL, NULL, &err);
	if (pkg != NULL) {
		for (uint32_t i = 0; i < gl_package_nobjects(pkg); i++) {
			touch_object(gl_package_object(pkg, i));
		}
		touch_declarations(pkg);
		touch_c(pkg);
		/* the readers that open files themselves take only this host's objects */
		char header[1024];
		snprintf(header, sizeof(header), "%s", gl_package_header(pkg));
		gl_package_close(pkg);
		struct gl_abi same = *abi;
		same.object_header = header;
		struct gl_nm *nm;
		if (gl_nm_read(path, &same, &nm, &err) == 0) {
			gl_nm_free(nm);
		}
		struct gl_listings *listings;
		if (gl_disasm_file(path, NULL, &same, &listings, &err) == 0) {
			gl_listings_free(listings);
		}
	}
	close(fd);
	return 0;
}
