#!/bin/bash
# The Debian package, tried for real:
#
#   deploy/test/deb.sh [VERSION]
#
# builds it twice (the same bytes), has lintian judge it, makes a fresh Debian root
# and lives the life of a package in it: installed.sh by chroot, then booted.sh
# under a systemd of its own, in namespaces without a network. What cannot be tried
# here is skipped by name, and is a failure where CI=true. It prints what it
# checked, and fails on any miss.
#
#   VAGUEMESTRE_TEST_ROOT   a fresh Debian root to copy rather than make one
#   VAGUEMESTRE_RECORD      when set, a run to the end writes docs/runs/deb-DATE.json
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
version=${1:-0.0.1}
suite=bookworm
began=$(date +%s)

for pair in go:golang dpkg-deb:dpkg; do
	has "${pair%%:*}" "${pair#*:}" || { done_checking; exit; }
done
work=$(mktemp -d)
machine=
leave() {
	if [ -n "$machine" ]; then kill -KILL "$machine" 2>/dev/null && wait "$machine" 2>/dev/null; fi
	rm -rf --one-file-system "$work"
}
trap leave EXIT

echo "-- built"
commit=$(git -C "$here" rev-parse HEAD 2>/dev/null) || commit=
build() { "$here/../deb/build.sh" "$version" "$1"; }
mkdir "$work/one" "$work/two" "$work/newer"
check "it is built" build "$work/one"
deb=$(echo "$work"/one/*.deb)
[ -f "$deb" ] || { done_checking; exit; }
check "it is built again" build "$work/two"
check "both are the same bytes" cmp "$deb" "$work/two/$(basename "$deb")"
deny "a version that is none is refused" "$here/../deb/build.sh" "1.0/../x" "$work"
check "it says its version" test "$(dpkg-deb -f "$deb" Version)" = "$version"
owned() { dpkg-deb -c "$deb" | awk '$2 != "root/root" || $1 ~ /^-.......w|^-....w|s/ { print; bad = 1 } END { exit bad }'; }
check "its files are root's, and only root may write them" owned
deny "it has nothing in the data directory" sh -c "dpkg-deb -c '$deb' | grep -q var/"
static() { dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/bin/vaguemestre >"$work/program" && readelf -h "$work/program" >/dev/null && ! readelf -l "$work/program" | grep -q INTERP; }
if has readelf binutils; then check "the program is static" static; fi
if has lintian lintian; then
	# The address is the builder's to give (DEB_MAINTAINER).
	check "lintian finds no fault" lintian --no-cfg --allow-root --fail-on error,warning \
		--suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact "$deb"
fi
# The same under the next version, to upgrade to.
newer() {
	dpkg-deb -R "$deb" "$work/newer/root" && sed -i "s/^Version: .*/Version: $version+next/" "$work/newer/root/DEBIAN/control" &&
		dpkg-deb --root-owner-group -Znone --build "$work/newer/root" "$work/newer/next.deb"
}
check "a next version is packed" newer

echo "-- a fresh Debian root"
if [ "$(id -u)" != 0 ]; then
	skip "installing it needs root"
	done_checking
	exit
fi
root=$work/root
if [ -n "${VAGUEMESTRE_TEST_ROOT:-}" ]; then
	cp -a --one-file-system "$VAGUEMESTRE_TEST_ROOT" "$root"
elif has debootstrap debootstrap; then
	if ! debootstrap --variant=minbase --include=systemd "$suite" "$root" >"$work/debootstrap.log" 2>&1; then
		tail -n 3 "$work/debootstrap.log"
		skip "no Debian root could be made: debootstrap needs the network"
	fi
fi
if [ ! -x "$root/lib/systemd/systemd" ]; then
	done_checking
	exit
fi
mkdir "$root/opt/try"
cp "$here"/{checks,machine,installed,booted}.sh "$root/opt/try"
cp "$deb" "$root/opt/try/this.deb"
cp "$work/newer/next.deb" "$root/opt/try/next.deb"
# A root for containers may leave manual pages out of what it installs.
rm -f "$root"/etc/dpkg/dpkg.cfg.d/*docker* "$root"/etc/dpkg/dpkg.cfg.d/*nodoc*
cp -a --one-file-system "$root" "$work/machine"

# inside NAME COMMAND …: its checks are counted here.
inside() {
	name=$1
	shift
	"$@" 2>&1 | tee "$work/$name.log"
	read -r p _ f _ s _ <<<"$(grep -E '^[0-9]+ passed, ' "$work/$name.log" | tail -n 1)"
	if [ -z "${p:-}" ]; then
		failed=$((failed + 1))
		echo "MISS  $name did not come to its end"
		return
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

inside installed unshare --mount --pid --net --ipc --uts --fork --kill-child sh -ec "
	mount --make-rprivate /
	mount -t proc proc '$root/proc'
	mount --bind /dev '$root/dev'
	ip link set lo up
	exec chroot '$root' env -i CI=${CI:-} PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 /bin/bash /opt/try/installed.sh /opt/try/this.deb /opt/try/next.deb"

echo "-- booted"
mkdir -p "$work/machine/mnt"
unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child sh "$here/boot.sh" "$work/machine" >"$work/boot.log" 2>&1 &
machine=$!
systemd_of() { pgrep -P "$machine"; }
enter() { nsenter -t "$(systemd_of)" -m -p -n -i -u -C -- "$@"; }
up=
for _ in $(seq 60); do
	case $(enter systemctl is-system-running 2>/dev/null) in
	running | degraded) up=yes && break ;;
	esac
	sleep 0.5
done
if [ "$up" ]; then
	inside booted enter env -i CI="${CI:-}" PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 /bin/bash /opt/try/booted.sh /opt/try/this.deb /opt/try/next.deb
else
	tail -n 3 "$work/boot.log"
	skip "no systemd boots in a namespace of this machine"
fi

# record: what was run, on what, and what it counted. The package's digest says
# which sources, since the same give the same bytes: those of the commit, unless
# something in them had been changed.
record() {
	now=$(date -u +%FT%TZ)
	cat >"$here/../../docs/runs/deb-${now%T*}.json" <<-END
		{
		  "command": "bash deploy/test/deb.sh $version",
		  "date": "$now",
		  "commit": "$commit",
		  "package": "$(sha256sum <"$deb" | cut -d' ' -f1)",
		  "go": "$(go env GOVERSION)",
		  "debian": "$(cat "$root/etc/debian_version")",
		  "seconds": $(($(date +%s) - began)),
		  "checks_passed": $passed,
		  "checks_failed": $failed,
		  "checks_skipped": $skipped
		}
	END
}
if [ -n "${VAGUEMESTRE_RECORD:-}" ]; then record; fi
done_checking
