/* The host's symbols, as a module's references mean them: by name and ABI. */
#include "resolve.h"

#include <string.h>

const uint8_t *host_func(const struct linker *linker, uintptr_t addr)
{
	const struct gl_abi *abi = linker->abi;
	const uint8_t *md = (const uint8_t *)linker->firstmoduledata;
	uintptr_t text, minpc, maxpc;
	const uint32_t *ftab;
	const uint8_t *pclntable;
	int64_t n;

	memcpy(&text, md + abi->moduledata.text, sizeof(text));
	memcpy(&minpc, md + abi->moduledata.minpc, sizeof(minpc));
	memcpy(&maxpc, md + abi->moduledata.maxpc, sizeof(maxpc));
	memcpy(&ftab, md + abi->moduledata.ftab, sizeof(ftab));
	memcpy(&n, md + abi->moduledata.ftab + 8, sizeof(n));
	memcpy(&pclntable, md + abi->moduledata.pclntable, sizeof(pclntable));
	if (addr < minpc || addr >= maxpc || addr < text || n < 2) {
		return NULL;
	}
	/* ftab: pairs of entry offset from text and offset of the _func in pclntable; the last is the end */
	uint32_t off = (uint32_t)(addr - text);
	int64_t low = 0, high = n - 1;
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;
		if (ftab[2 * mid] <= off) {
			low = mid;
		} else {
			high = mid;
		}
	}
	return pclntable + ftab[2 * low + 1];
}

static bool host_func_is_asm(const struct linker *linker, const uint8_t *func)
{
	return (func[linker->abi->func.flag] & linker->abi->FuncFlagAsm) != 0;
}

/* Is name, an assembly function the host has under its plain name only, entered by ABIInternal? The name alone doesn't
 * tell: the linker drops the entry that nobody uses, and marks a function's ABI only where both are left
 * (cmd/link/internal/ld/symtab.go, mangleABIName). Only the runtime and its kin write ABIInternal assembly, and what of
 * it compiled code calls is reached so. Elsewhere a function written in assembly has a Go wrapper under ABIInternal. */
static bool asm_is_abiinternal(const char *name, size_t len)
{
	struct gl_str path = link_package_of((struct gl_str){ name, (uint32_t)len });

	return str_is(path, "runtime") || str_starts(path, "runtime/internal/") ||
	       str_starts(path, "internal/runtime/") || str_is(path, "internal/bytealg") || str_is(path, "reflect");
}

bool host_lookup(struct link *l, const char *name, size_t len, uint8_t want_abi, struct gl_image_sym *out)
{
	struct linker *linker = l->linker;
	char abi0[1024];
	struct gl_image_sym other = { 0 };
	bool has_abi0 = false;

	bool has_plain = gl_image_lookup(linker->image, name, len, out);
	if ((!has_plain || out->is_func) && len + sizeof(".abi0") <= sizeof(abi0)) {
		memcpy(abi0, name, len);
		memcpy(abi0 + len, ".abi0", sizeof(".abi0"));
		has_abi0 = gl_image_lookup(linker->image, abi0, len + 5, &other);
	}
	if (want_abi == GL_ABI0 && has_abi0) {
		*out = other;
		return true;
	}
	if (!has_plain) {
		return false;
	}
	if (!out->is_func || (want_abi == GL_ABIINTERNAL && has_abi0)) {
		return true;
	}
	const uint8_t *func = host_func(linker, out->addr);
	if (func == NULL) {
		return true; /* C code, which knows neither ABI: whoever names it knows what he does */
	}
	if (!host_func_is_asm(linker, func)) {
		return want_abi == GL_ABIINTERNAL;
	}
	return asm_is_abiinternal(name, len) == (want_abi == GL_ABIINTERNAL);
}

/* The linker of a host that imports "plugin" notes each package's fingerprint (cmd/link/internal/ld/symtab.go), under
 * its path as the go command spells it. */
const uint8_t *link_host_has(struct link *l, struct gl_str path)
{
	static const char prefix[] = "go:link.pkghashbytes.";
	char name[1024];
	struct gl_image_sym sym;

	if (path.n + sizeof(prefix) > sizeof(name)) {
		return NULL;
	}
	memcpy(name, prefix, sizeof(prefix));
	link_plain_path(path, name + sizeof(prefix) - 1);
	if (gl_image_lookup(l->linker->image, name, strlen(name), &sym)) {
		return (const uint8_t *)sym.addr;
	}
	return NULL;
}
