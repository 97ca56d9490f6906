/* Everything that differs between Go versions, read from the host's description.
 *
 * A description is a text file beside the host ("libgoloader_host.so.desc"), written once when the host is built by
 * src/host/describe. It holds what the host's DWARF says of the runtime's structs (size, and offset of every field),
 * and what the toolchain's own sources say of numbers that DWARF can't tell: relocation types, symbol kinds, funcdata
 * and pcdata indices, and the list of builtin symbols that objects name by number. So one C source serves all Go
 * versions, and a release that moves a field or adds a relocation needs no new code here. */
#ifndef GL_ABI_H
#define GL_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"

/* Structs of the runtime and the fields of them that the library touches: one list a struct, and a list of the structs.
 * X(the struct's member in struct gl_abi, the field's member there, its name in Go, REQUIRED or OPTIONAL). Where a
 * release renamed a struct or a field, "|" separates the names, and the first that the host has counts. An OPTIONAL
 * field exists in some versions only, its offset is -1 elsewhere; gl_abi_read names every required one it misses. */
/* clang-format off */
#define GL_ABI_MODULEDATA(X, s)                                                                                 \
	X(s, pcHeader, "pcHeader", REQUIRED)                                                                    \
	X(s, funcnametab, "funcnametab", REQUIRED)                                                              \
	X(s, cutab, "cutab", REQUIRED)                                                                          \
	X(s, filetab, "filetab", REQUIRED)                                                                      \
	X(s, pctab, "pctab", REQUIRED)                                                                          \
	X(s, pclntable, "pclntable", REQUIRED)                                                                  \
	X(s, ftab, "ftab", REQUIRED)                                                                            \
	X(s, findfunctab, "findfunctab", REQUIRED)                                                              \
	X(s, minpc, "minpc", REQUIRED)                                                                          \
	X(s, maxpc, "maxpc", REQUIRED)                                                                          \
	X(s, text, "text", REQUIRED)                                                                            \
	X(s, etext, "etext", REQUIRED)                                                                          \
	X(s, noptrdata, "noptrdata", REQUIRED)                                                                  \
	X(s, enoptrdata, "enoptrdata", REQUIRED)                                                                \
	X(s, data, "data", REQUIRED)                                                                            \
	X(s, edata, "edata", REQUIRED)                                                                          \
	X(s, bss, "bss", REQUIRED)                                                                              \
	X(s, ebss, "ebss", REQUIRED)                                                                            \
	X(s, noptrbss, "noptrbss", REQUIRED)                                                                    \
	X(s, enoptrbss, "enoptrbss", REQUIRED)                                                                  \
	X(s, covctrs, "covctrs", OPTIONAL)			\
	X(s, ecovctrs, "ecovctrs", OPTIONAL)			\
	X(s, end, "end", REQUIRED)                                                                              \
	X(s, types, "types", REQUIRED)                                                                          \
	X(s, typedesclen, "typedesclen", OPTIONAL)                                                              \
	X(s, etypes, "etypes", REQUIRED)                                                                        \
	X(s, itaboffset, "itaboffset", OPTIONAL)                                                                \
	X(s, itabsize, "itabsize", OPTIONAL)                                                                    \
	X(s, rodata, "rodata", REQUIRED)                                                                        \
	X(s, gofunc, "gofunc", REQUIRED)                                                                        \
	X(s, epclntab, "epclntab", OPTIONAL)                                                                    \
	X(s, textsectmap, "textsectmap", REQUIRED)                                                              \
	X(s, typelinks, "typelinks", OPTIONAL)                                                                  \
	X(s, itablinks, "itablinks", OPTIONAL)                                                                  \
	X(s, pluginpath, "pluginpath", REQUIRED)                                                                \
	X(s, modulename, "modulename", REQUIRED)                                                                \
	X(s, gcdatamask, "gcdatamask", REQUIRED)                                                                \
	X(s, gcbssmask, "gcbssmask", REQUIRED)                                                                  \
	X(s, bad, "bad", REQUIRED)                                                                              \
	X(s, next, "next", REQUIRED)
#define GL_ABI_PC_HEADER(X, s)                                                                                  \
	X(s, nfunc, "nfunc", REQUIRED)                                                                          \
	X(s, nfiles, "nfiles", REQUIRED)                                                                        \
	X(s, textStart, "textStart", OPTIONAL)                                                                  \
	X(s, funcnameOffset, "funcnameOffset", REQUIRED)                                                        \
	X(s, cuOffset, "cuOffset", REQUIRED)                                                                    \
	X(s, filetabOffset, "filetabOffset", REQUIRED)                                                          \
	X(s, pctabOffset, "pctabOffset", REQUIRED)                                                              \
	X(s, pclnOffset, "pclnOffset", REQUIRED)
#define GL_ABI_FUNC(X, s)                                                                                       \
	X(s, entryOff, "entryOff", REQUIRED)                                                                    \
	X(s, nameOff, "nameOff", REQUIRED)                                                                      \
	X(s, args, "args", REQUIRED)                                                                            \
	X(s, deferreturn, "deferreturn", REQUIRED)                                                              \
	X(s, pcsp, "pcsp", REQUIRED)                                                                            \
	X(s, pcfile, "pcfile", REQUIRED)                                                                        \
	X(s, pcln, "pcln", REQUIRED)                                                                            \
	X(s, npcdata, "npcdata", REQUIRED)                                                                      \
	X(s, cuOffset, "cuOffset", REQUIRED)                                                                    \
	X(s, startLine, "startLine", REQUIRED)                                                                  \
	X(s, funcID, "funcID", REQUIRED)                                                                        \
	X(s, flag, "flag", REQUIRED)                                                                            \
	X(s, nfuncdata, "nfuncdata", REQUIRED)
#define GL_ABI_INLINED_CALL(X, s)                                                                               \
	X(s, funcID, "funcID", REQUIRED)                                                                        \
	X(s, nameOff, "nameOff", REQUIRED)                                                                      \
	X(s, parentPc, "parentPc", REQUIRED)                                                                    \
	X(s, startLine, "startLine", REQUIRED)
#define GL_ABI_TYPE(X, s)                                                                                       \
	X(s, Size_, "Size_", REQUIRED)                                                                          \
	X(s, PtrBytes, "PtrBytes", REQUIRED)                                                                    \
	X(s, Hash, "Hash", REQUIRED)                                                                            \
	X(s, TFlag, "TFlag", REQUIRED)                                                                          \
	X(s, Align_, "Align_", REQUIRED)                                                                        \
	X(s, FieldAlign_, "FieldAlign_", REQUIRED)                                                              \
	X(s, Kind_, "Kind_", REQUIRED)                                                                          \
	X(s, Equal, "Equal", REQUIRED)                                                                          \
	X(s, GCData, "GCData", REQUIRED)                                                                        \
	X(s, Str, "Str", REQUIRED)                                                                              \
	X(s, PtrToThis, "PtrToThis", REQUIRED)
#define GL_ABI_ITAB(X, s)                                                                                       \
	X(s, Inter, "Inter|inter", REQUIRED)                                                                    \
	X(s, Type, "Type|_type", REQUIRED)                                                                      \
	X(s, Fun, "Fun|fun", REQUIRED)
#define GL_ABI_ITAB_TABLE(X, s)                                                                                 \
	X(s, size, "size", REQUIRED)                                                                            \
	X(s, count, "count", REQUIRED)                                                                          \
	X(s, entries, "entries", REQUIRED)
#define GL_ABI_INIT_TASK(X, s)                                                                                  \
	X(s, state, "state", REQUIRED)                                                                          \
	X(s, nfns, "nfns", REQUIRED)
#define GL_ABI_G(X, s)                                                                                          \
	X(s, stack, "stack", REQUIRED)                                                                          \
	X(s, atomicstatus, "atomicstatus", REQUIRED)                                                            \
	X(s, goid, "goid", REQUIRED)
#define GL_ABI_M(X, s)                                                                                          \
	X(s, alllink, "alllink", REQUIRED)                                                                      \
	X(s, pcvalueCache, "pcvalueCache", OPTIONAL)
#define GL_ABI_PCVALUE_CACHE(X, s)                                                                              \
	X(s, entries, "entries", OPTIONAL)
#define GL_ABI_ARRAY_TYPE(X, s)                                                                                 \
	X(s, Elem, "Elem", REQUIRED)                                                                       \
	X(s, Len, "Len", REQUIRED)
#define GL_ABI_STRUCT_TYPE(X, s)                                                                                \
	X(s, Fields, "Fields", REQUIRED)
#define GL_ABI_STRUCT_FIELD(X, s)                                                                               \
	X(s, Typ, "Typ", REQUIRED)                                                                          \
	X(s, Offset, "Offset", REQUIRED)
#define GL_ABI_UNWINDER(X, s)                                                                                   \
	X(s, frame, "frame", REQUIRED)
#define GL_ABI_STKFRAME(X, s)                                                                                   \
	X(s, pc, "pc", REQUIRED)

/* S(the struct's member in struct gl_abi, its name in Go, its list of fields, the member for its size in bytes) */
#define GL_ABI_STRUCTS(S)                                                                                       \
	S(moduledata, "runtime.moduledata", GL_ABI_MODULEDATA, size)                                            \
	S(pcHeader, "runtime.pcHeader", GL_ABI_PC_HEADER, size)                                                 \
	S(func, "runtime._func", GL_ABI_FUNC, size)                                                             \
	S(inlinedCall, "runtime.inlinedCall", GL_ABI_INLINED_CALL, size)                                        \
	S(type, "internal/abi.Type|runtime._type", GL_ABI_TYPE, size)                                           \
	S(arrayType, "internal/abi.ArrayType", GL_ABI_ARRAY_TYPE, size)                                         \
	S(structType, "internal/abi.StructType", GL_ABI_STRUCT_TYPE, size)                                      \
	S(structField, "internal/abi.StructField", GL_ABI_STRUCT_FIELD, size)                                   \
	S(itab, "internal/abi.ITab|runtime.itab", GL_ABI_ITAB, size)                                            \
	S(itabTable, "runtime.itabTableType", GL_ABI_ITAB_TABLE, bytes)                                         \
	S(initTask, "runtime.initTask", GL_ABI_INIT_TASK, size)                                                 \
	S(g, "runtime.g", GL_ABI_G, size)                                                                       \
	S(m, "runtime.m", GL_ABI_M, size)                                                                       \
	S(pcvalueCache, "runtime.pcvalueCache", GL_ABI_PCVALUE_CACHE, size)                                     \
	S(unwinder, "runtime.unwinder", GL_ABI_UNWINDER, size)                                                  \
	S(stkframe, "runtime.stkframe", GL_ABI_STKFRAME, size)

/* Numbers of the toolchain: X(name, REQUIRED or OPTIONAL). An optional one that is absent is -1. Relocation types are as
 * objects hold them, 16 bits without a sign: R_WEAK is 0x8000, a flag on top of another type. */
#define GL_ABI_CONSTS(X)                                                                                                \
	X(R_ADDR, REQUIRED)                                                                                             \
	X(R_ADDROFF, REQUIRED)                                                                                          \
	X(R_CALL, REQUIRED)                                                                                             \
	X(R_CALLIND, REQUIRED)                                                                                          \
	X(R_PCREL, REQUIRED)                                                                                            \
	X(R_TLS_LE, REQUIRED)                                                                                           \
	X(R_TLS_IE, REQUIRED)                                                                                           \
	X(R_GOTPCREL, REQUIRED)                                                                                         \
	X(R_SIZE, OPTIONAL)                                                                                             \
	X(R_CONST, OPTIONAL)                                                                                            \
	X(R_USEFIELD, OPTIONAL)                                                                                         \
	X(R_USETYPE, REQUIRED)                                                                                          \
	X(R_USEIFACE, REQUIRED)                                                                                         \
	X(R_USEIFACEMETHOD, REQUIRED)                                                                                   \
	X(R_USENAMEDMETHOD, OPTIONAL)                                                                                   \
	X(R_USEGENERICIFACEMETHOD, OPTIONAL)                                                                            \
	X(R_METHODOFF, REQUIRED)                                                                                        \
	X(R_KEEP, REQUIRED)                                                                                             \
	X(R_INITORDER, REQUIRED)                                                                                        \
	X(R_DWARFSECREF, REQUIRED)                                                                                      \
	X(R_ADDRCUOFF, REQUIRED)                                                                                        \
	X(R_WEAK, REQUIRED)                                                                                             \
	X(STEXT, REQUIRED)                                                                                              \
	X(STEXTFIPS, OPTIONAL)                                                                                          \
	X(SRODATA, REQUIRED)                                                                                            \
	X(SRODATAFIPS, OPTIONAL)                                                                                        \
	X(SNOPTRDATA, REQUIRED)                                                                                         \
	X(SNOPTRDATAFIPS, OPTIONAL)                                                                                     \
	X(SDATA, REQUIRED)                                                                                              \
	X(SDATAFIPS, OPTIONAL)                                                                                          \
	X(SBSS, REQUIRED)                                                                                               \
	X(SNOPTRBSS, REQUIRED)                                                                                          \
	X(STLSBSS, REQUIRED)                                                                                            \
	X(SDWARFFCN, REQUIRED)                                                                                          \
	X(SDWARFABSFCN, REQUIRED)                                                                                       \
	X(SDWARFVAR, REQUIRED)                                                                                          \
	X(SLIBFUZZER_8BIT_COUNTER, OPTIONAL)                                                                            \
	X(SCOVERAGE_COUNTER, OPTIONAL)                                                                                  \
	X(SCOVERAGE_AUXVAR, OPTIONAL)                                                                                   \
	X(SSEHUNWINDINFO, OPTIONAL)                                                                                     \
	X(PCDATA_InlTreeIndex, REQUIRED)                                                                                \
	X(FUNCDATA_ArgsPointerMaps, REQUIRED)                                                                           \
	X(FUNCDATA_StackObjects, REQUIRED)                                                                              \
	X(FUNCDATA_InlTree, REQUIRED)                                                                                   \
	X(FUNCDATA_ArgInfo, REQUIRED)                                                                                   \
	X(FuncFlagAsm, REQUIRED)                                                                                        \
	X(KindMask, OPTIONAL)                                                                                           \
	X(KindDirectIface, OPTIONAL)                                                                                    \
	X(TFlagUncommon, REQUIRED)                                                                                      \
	X(TFlagExtraStar, REQUIRED)                                                                                     \
	X(TFlagNamed, REQUIRED)                                                                                         \
	X(TFlagRegularMemory, REQUIRED)                                                                                 \
	X(TFlagDirectIface, OPTIONAL)
/* clang-format on */

/* A builtin: a runtime symbol that objects refer to by its place in cmd/internal/goobj/builtinlist.go. */
struct gl_builtin {
	const char *name;
	int abi; /* 0 or 1, as in cmd/internal/obj.ABI */
};

/* An abbreviation of the compiler's DWARF: what the entries that start with its code look like. The entries for
 * functions inside objects are written with them (cmd/internal/dwarf). */
struct gl_abbrev_attr {
	uint16_t attr; /* DW_AT_… */
	uint16_t form; /* DW_FORM_…, never DW_FORM_implicit_const */
};

struct gl_abbrev {
	uint16_t tag; /* DW_TAG_… */
	bool has_children;
	uint16_t nattrs;
	const struct gl_abbrev_attr *attrs;
};

struct gl_abi_text; /* the description itself, sorted for look-ups */

struct gl_abi {
	const char *go_version;    /* "go1.27.4" */
	const char *goarch;        /* "amd64" */
	const char *goamd64;       /* "v1" */
	const char *goexperiment;  /* "" where there is none beyond the defaults */
	const char *buildmode;     /* "c-shared" */
	const char *object_header; /* first line of every object for this host, without the line feed:
				      "go object linux amd64 go1.27.4 GOAMD64=v1 X:…" */
	const struct gl_builtin *builtins;
	uint32_t nbuiltins;

	/* Offsets in bytes, by struct: abi->moduledata.pcHeader; abi->moduledata.size is that of the whole struct (0
	 * where the host has no such struct, which can only be if all fields of it are optional). */
#define X(s, field, name, need) int field;
#define S(s, name, FIELDS, size)                                                                                       \
	struct {                                                                                                       \
		FIELDS(X, s)                                                                                           \
		size_t size;                                                                                           \
	} s;
	GL_ABI_STRUCTS(S)
#undef S
#undef X

	/* Numbers: abi->R_CALL */
#define X(name, need) int name;
	GL_ABI_CONSTS(X)
#undef X

	struct gl_abi_text *text;
};

/* Reads the description at path. The result is freed with gl_abi_free; all its strings belong to it.
 * Fails with GL_EIO, GL_EFORMAT, or GL_EHOST that names every required field or number the description lacks. */
struct gl_abi *gl_abi_read(const char *path, struct gl_error *err);
void gl_abi_free(struct gl_abi *abi);

/* Can an object with this first line (len bytes, without the line feed) be loaded into the host? Fails with
 * GL_EMISMATCH that names file and both sides. */
int gl_abi_check_header(const struct gl_abi *abi, const char *file, const char *header, size_t len,
			struct gl_error *err);

/* Are two such lines the same but for what object and host need not have in common? */
bool gl_abi_headers_agree(const char *header, size_t len, const char *want, size_t want_len);

/* Look up anything the description holds, for the rare user of what has no name above. Offset in bytes, or -1. */
int gl_abi_field(const struct gl_abi *abi, const char *strukt, const char *field);
/* Size in bytes, or -1. */
int gl_abi_field_size(const struct gl_abi *abi, const char *strukt, const char *field);
int64_t gl_abi_struct_size(const struct gl_abi *abi, const char *strukt);
/* A constant of cmd/internal/objabi (relocation types, symbol kinds), of internal/abi ("FuncIDNormal"), or a state of a
 * goroutine ("runtime._Gwaiting"), or another of the runtime's that src/host/describe writes, or -1. */
int64_t gl_abi_const(const struct gl_abi *abi, const char *name);
/* The abbreviation of a code, or NULL when there is none; belongs to abi. */
const struct gl_abbrev *gl_abi_abbrev(const struct gl_abi *abi, uint64_t code);

#endif
