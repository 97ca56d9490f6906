#!/usr/bin/env bash
# Runs an example in nginx, in the foreground, till Ctrl-C:
#
#     examples/nginx.sh NAME [PORT [UPSTREAM_PORT]]        listpage, gateway, handler; 8080, the next port
#
# The example's files are copied to build/nginx/NAME/conf, where they can be edited while nginx answers. What differs
# from machine to machine (the Lua module, the user, folders) is written into machine/*.conf beside them, which the
# example's nginx.conf includes. NGINX names another program than the nginx in the PATH, PREFIX another folder.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
name=${1:-listpage}
port=${2:-8080}
upstream=${3:-$((port + 1))}
nginx=${NGINX:-nginx}
example=$root/examples/$name
prefix=${PREFIX:-$root/build/nginx/$name}

fail() {
	echo "nginx.sh: $*" >&2
	exit 1
}
[[ -f $example/nginx.conf ]] || fail "there is no example $name; those in nginx are:" \
	"$(cd "$root/examples" && printf '%s\n' */nginx.conf | sed 's,/.*,,' | tr '\n' ' ')"
[[ -f $root/build/lib/goloader/core.so ]] || fail "goloader is not built: make"
PATH=$PATH:/usr/sbin:/usr/local/openresty/nginx/sbin
command -v "$nginx" >/dev/null || fail "there is no nginx: .ci/deps test, or make nginx"

# A file that was edited in the copy stays as it is, until the example's own is newer.
mkdir -p "$prefix/machine" "$prefix/temporary"
cp -rfu "$example/." "$prefix/conf/"
sed -E "s/\<8080\>/$port/g; s/\<8081\>/$upstream/g" "$example/nginx.conf" >"$prefix/conf/nginx.conf"
if [[ -f $prefix/conf/catalogue.lua ]]; then luajit "$prefix/conf/catalogue.lua" "$prefix/conf/products.json" >/dev/null; fi

# ---- what differs from machine to machine ---------------------------------------------------------------------------

{
	# Debian's nginx has the Lua module in a file, and what that needs in another; OpenResty's has it built in.
	for dir in /usr/lib/nginx/modules /usr/lib64/nginx/modules /usr/share/nginx/modules; do
		[[ -f $dir/ngx_http_lua_module.so ]] || continue
		[[ ! -f $dir/ndk_http_module.so ]] || echo "load_module $dir/ndk_http_module.so;"
		echo "load_module $dir/ngx_http_lua_module.so;"
		break
	done | if [[ $("$nginx" -V 2>&1) == *lua* ]]; then cat >/dev/null; else cat; fi
	((EUID != 0)) || echo "user root;"
	echo "daemon off;"
	echo "pid nginx.pid;"
	echo "error_log stderr notice;"
	# nginx clears the environment. Go's compiler wants to know where its caches are.
	for variable in PATH HOME GOCACHE GOFLAGS GOMODCACHE GOPATH GOPROXY GOTOOLCHAIN GOLOADER_HOST; do
		echo "env $variable;"
	done
} >"$prefix/machine/main.conf"
{
	echo "lua_package_path '$root/lua/?.lua;$root/lua/?/init.lua;;';"
	echo "lua_package_cpath '$root/build/lib/?.so;;';"
	echo "access_log off;"
	for part in client_body proxy fastcgi uwsgi scgi; do echo "${part}_temp_path temporary/$part;"; done
} >"$prefix/machine/http.conf"

# ---- and off --------------------------------------------------------------------------------------------------------

echo "nginx with the example $name on port $port; its files, to be edited, are in ${prefix#"$PWD/"}/conf"
echo "The first answer waits for the compiler. To try, from another terminal:"
echo
sed -nE 's/^#( {4}curl .*)/\1/p' "$prefix/conf/nginx.conf"
echo
exec "$nginx" -p "$prefix/" -c conf/nginx.conf -e stderr
