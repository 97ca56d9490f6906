/* The command line's launcher: LuaJIT running lua/goloader/cli.lua.
 *
 * `goloader run` stands in for `go run`, also a thousand times in a row, so that it starts in the time LuaJIT takes.
 * Nothing is decided here: paths are set to the tree this program lies in (build/bin of a checkout), the arguments go
 * to Lua, and what Lua returns is the exit status.
 *
 * A copy of this program with a Lua chunk behind it is a program of its own, which runs that chunk: what stands in for
 * the executable of a Go program, that other programs start and that starts itself again. Its last bytes tell:
 *
 *     this program | the chunk | its length, 16 decimal digits | "goloader program" */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* The chunk behind this program; NULL, and no error, when there is none. */
static char *read_chunk(size_t *len)
{
	static const char mark[] = "goloader program";
	enum { DIGITS = 16, MARK = sizeof(mark) - 1 };
	char trailer[DIGITS + MARK + 1] = "", *chunk = NULL;
	FILE *f = fopen("/proc/self/exe", "re");

	if (f && fseek(f, -(DIGITS + MARK), SEEK_END) == 0 && fread(trailer, DIGITS + MARK, 1, f) == 1 &&
	    strcmp(trailer + DIGITS, mark) == 0) {
		trailer[DIGITS] = '\0';
		*len = strtoul(trailer, NULL, 10);
		if (fseek(f, -(long)(*len + DIGITS + MARK), SEEK_END) == 0)
			chunk = malloc(*len + 1);
		if (chunk && fread(chunk, 1, *len, f) != *len) {
			free(chunk);
			chunk = NULL;
		}
	}
	if (f)
		fclose(f);
	return chunk;
}

/* Path of the checkout: this program's, less "/build/bin/goloader". */
static int find_root(char root[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", root, PATH_MAX - 1);

	if (n < 0) {
		fprintf(stderr, "goloader: /proc/self/exe: %s\n", strerror(errno));
		return -1;
	}
	root[n] = '\0';
	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(root, '/');

		if (!slash) {
			fprintf(stderr, "goloader: %s does not lie in the build/bin of a checkout\n", root);
			return -1;
		}
		*slash = '\0';
	}
	return 0;
}

/* Puts the checkout's own files before Lua's in package.path or package.cpath. */
static void prepend_path(lua_State *L, const char *field, const char *own)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, field);
	lua_pushfstring(L, "%s;%s", own, lua_tostring(L, -1));
	lua_setfield(L, -3, field);
	lua_pop(L, 2);
}

static int traceback(lua_State *L)
{
	luaL_traceback(L, L, lua_tostring(L, 1), 1);
	return 1;
}

/* Pushes the function that is to be run. */
static int push_command_line(lua_State *L)
{
	char root[PATH_MAX];

	if (find_root(root) != 0)
		return -1;
	prepend_path(L, "path", lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua", root, root));
	prepend_path(L, "cpath", lua_pushfstring(L, "%s/build/lib/?.so", root));
	lua_settop(L, 1);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "goloader.cli");
	if (lua_pcall(L, 1, 1, 1) != 0) {
		fprintf(stderr, "goloader: %s\n", lua_tostring(L, -1));
		return -1;
	}
	lua_getfield(L, -1, "main");
	return 0;
}

/* Go's runtime opens /dev/null for standard streams that are closed, before any file can be opened in their place, and
 * be written to by who prints (runtime.checkfds). In a library it leaves that to the program, which this one is. */
static int open_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t len;
	char *chunk = read_chunk(&len);

	/* Who started this may ignore the signal, which is inherited. Then nobody could wait for what is started here.
	 * Go's runtime takes it in every program, and so in the go command. */
	signal(SIGCHLD, SIG_DFL);

	/* of goloader's own commands, what can't be printed is an error */
	if (chunk && open_streams() != 0) {
		return 1;
	}
	lua_State *L = luaL_newstate();

	if (!L) {
		fprintf(stderr, "goloader: no memory for a Lua state\n");
		return 1;
	}
	luaL_openlibs(L);
	lua_pushcfunction(L, traceback);
	if (!chunk && push_command_line(L) != 0)
		return 1;
	if (chunk && luaL_loadbuffer(L, chunk, len, "=program") != 0)
		goto fail;
	free(chunk);
	lua_createtable(L, argc, 0);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	if (lua_pcall(L, 1, 1, 1) != 0)
		goto fail;
	/* The state is not closed: modules stay loaded to the end, and Go's threads may be running in them. */
	return (int)lua_tointeger(L, -1);
fail:
	fprintf(stderr, "goloader: %s\n", lua_tostring(L, -1));
	return 1;
}
