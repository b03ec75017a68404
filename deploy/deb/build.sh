#!/bin/sh
# Build the Debian package, with dpkg-deb and nothing else of Debian's:
#
#   deploy/deb/build.sh VERSION [DIR]
#
# writes DIR/vaguemestre_VERSION_ARCH.deb (DIR is . when left out) and prints its
# path. The same sources, version and Go give the same bytes: every date is
# SOURCE_DATE_EPOCH, by default that of the last commit. GOARCH is honoured;
# DEB_MAINTAINER says who answers for the package.
set -eu
umask 022
export LC_ALL=C TZ=UTC

fail() { echo "$0: $*" >&2; exit 1; }

[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: $0 VERSION [DIR]" >&2; exit 2; }
version=$1
case $version in
*[!0-9A-Za-z.+~]*) fail "the version has a character that is none of 0-9 A-Z a-z . + ~" ;;
[0-9]*) ;;
*) fail "the version must begin with a digit" ;;
esac
dest=$(cd "${2:-.}" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
deploy=$top/deploy
maintainer=${DEB_MAINTAINER:-Vaguemestre maintainers <root@localhost>}

if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct 2>/dev/null) || fail "no commit to take the date of: set SOURCE_DATE_EPOCH"
fi
export SOURCE_DATE_EPOCH

case $(go env GOARCH) in
386) arch=i386 ;;
arm) arch=armhf ;;
ppc64le) arch=ppc64el ;;
*) arch=$(go env GOARCH) ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$deploy/build.sh" "$work/built" "$version"
root=$work/root

# put MODE FILE PLACE
put() { install -D -m "$1" "$2" "$root/$3"; }
# pack FILE PLACE: compressed, without name or date
pack() { mkdir -p "$root/$(dirname "$2")" && gzip -9nc "$1" >"$root/$2" && chmod 644 "$root/$2"; }

doc=usr/share/doc/vaguemestre
put 755 "$work/built/vaguemestre" usr/bin/vaguemestre
put 644 "$deploy/systemd/vaguemestre.service" lib/systemd/system/vaguemestre.service
put 644 "$deploy/sysusers.d/vaguemestre.conf" usr/lib/sysusers.d/vaguemestre.conf
put 644 "$deploy/tmpfiles.d/vaguemestre.conf" usr/lib/tmpfiles.d/vaguemestre.conf
put 644 "$deploy/default/vaguemestre" etc/default/vaguemestre
put 644 "$work/built/completions/vaguemestre" usr/share/bash-completion/completions/vaguemestre
put 644 "$work/built/completions/_vaguemestre" usr/share/zsh/vendor-completions/_vaguemestre
put 644 "$work/built/completions/vaguemestre.fish" usr/share/fish/vendor_completions.d/vaguemestre.fish
for page in "$work"/built/man1/*.1; do
	pack "$page" "usr/share/man/man1/$(basename "$page").gz"
done
put 644 "$deploy/deb/copyright" "$doc/copyright"
put 644 "$top/docs/install.md" "$doc/install.md"
put 644 "$top/SECURITY.md" "$doc/SECURITY.md"
put 644 "$deploy/examples/network.conf" "$doc/examples/network.conf"
pack "$work/built/notices" "$doc/notices.gz"
cat >"$work/changelog" <<END
vaguemestre ($version) unstable; urgency=medium

  * Version $version. What it does and how it is installed: install.md, beside.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
pack "$work/changelog" "$doc/changelog.gz"
put 644 "$deploy/deb/lintian-overrides" usr/share/lintian/overrides/vaguemestre

put 644 "$deploy/deb/conffiles" DEBIAN/conffiles
for script in postinst prerm postrm; do
	put 755 "$deploy/deb/$script" "DEBIAN/$script"
done
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | sort | xargs md5sum) >"$root/DEBIAN/md5sums"
size=$(du -k --apparent-size -s --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@SIZE@|$size|; s|@MAINTAINER@|$maintainer|" \
	"$deploy/deb/control.in" >"$root/DEBIAN/control"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# One thread: with more, the bytes would depend on how many there are.
deb=$dest/vaguemestre_${version}_$arch.deb
dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "$deb" >/dev/null
echo "$deb"
