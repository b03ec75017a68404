#!/bin/bash
# The container image, as far as it can be tried without an engine:
#
#   deploy/test/container.sh
#
# what the Containerfile copies exists, the program needs nothing else (it makes and
# serves a broker in a root that holds only what is copied, as the user that the
# file names), and, where buildah is there, the image is built and looked at.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
file=$here/../Containerfile
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
out=$work/out

# said WORD: what follows it in the Containerfile.
said() { sed -n "s/^$1 //p" "$file"; }

has go golang || { done_checking; exit; }
echo "-- context"
check "the context is built" "$here/../build.sh" "$out"
mkdir "$out/data"
while read -r _ from to; do
	check "$from, copied to $to, is there" test -e "$out/$from"
	mkdir -p "$work/root$(dirname "$to")"
	cp -r "$out/$from" "$work/root$to"
done < <(said COPY)
check "it begins with nothing" test "$(said FROM)" = scratch
user=$(said USER)
deny "its user is not root" grep -qE '^(0|root)(:|$)' <<<"$user"
mapfile -t health < <(said HEALTHCHECK | sed 's/.*CMD //; s/[]["]//g; s/, */\n/g')
program=$(said ENTRYPOINT | sed 's/[]["]//g')
check "the program is among what is copied" test -x "$work/root$program"
if has readelf binutils; then
	check "it is a program of this system" readelf -h "$work/root$program"
	deny "it asks for no library" sh -c "readelf -ld '$work/root$program' | grep -E 'INTERP|NEEDED'"
fi

echo "-- in a root that holds nothing else"
# within SECONDS COMMAND …
within() {
	left=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { "$@"; return; }
		sleep 0.2
	done
}
if [ "$(id -u)" != 0 ]; then
	skip "an empty root needs root to enter"
elif has unshare util-linux && has ip iproute2; then
	chown -R "$user" "$work/root/data"
	mkdir -p "$work/root/run/secrets"
	printf '%s' 'a passphrase of this test only' >"$work/root/run/secrets/vaguemestre-passphrase"
	chown -R "$user" "$work/root/run/secrets"
	chmod 400 "$work/root/run/secrets/vaguemestre-passphrase"
	chroot=$(command -v chroot)
	alone() { env -i "$(said ENV)" "$chroot" --userspec="$user" "$work/root" "$program" "$@"; }
	check "the program runs" alone --help
	if alone serve --help >/dev/null 2>&1; then
		check "init makes a broker" alone init --data /data --party ase-59 --role ase --institution 'Département du Nord' --departement 59
		mapfile -t cmd < <(said CMD | sed 's/[]["]//g; s/, */\n/g')
		unshare --net --pid --fork --kill-child sh -c 'ip link set lo up; exec "$@"' sh \
			env -i "$(said ENV)" "$chroot" --userspec="$user" "$work/root" "$program" "${cmd[@]}" >"$work/log" 2>&1 &
		broker=$!
		check "serve listens" within 60 grep -q '"msg":"serving"' "$work/log"
		check "it says that it is well" alone "${health[@]:1}"
		check "a command works beside it" alone journal list --data /data
		kill -TERM "$(pgrep -P $broker)"
		wait $broker
		check "told to stop, it ends well" test $? = 0
		deny "and that it is not, once it has stopped" alone "${health[@]:1}"
		check "the journal verifies" alone journal verify --data /data
	else
		skip "vaguemestre serve is not in this program"
	fi
fi

echo "-- image"
if has buildah buildah && [ "$(id -u)" = 0 ]; then
	tool() { buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" "$@"; }
	check "buildah builds it" tool build --format docker --isolation chroot -q -f "$file" -t vaguemestre-test "$out"
	look() { tool inspect --type image --format "$1" vaguemestre-test; }
	check "it runs as $user" test "$(look '{{.OCIv1.Config.User}}')" = "$user"
	check "it keeps /data" test "$(look '{{.OCIv1.Config.Volumes}}')" = 'map[/data:{}]'
	check "it asks itself whether it is well" test "$(look '{{.Docker.Config.Healthcheck.Test}}')" = "[CMD ${health[*]}]"
	c=$(tool from vaguemestre-test) && m=$(tool mount "$c")
	check "/data is its user's" test "$(stat -c '%u:%g' "$m/data")" = "$user"
	check "the program is root's" test "$(stat -c '%u:%g %a' "$m$program")" = "0:0 755"
	tool umount "$c" >/dev/null
fi
done_checking
