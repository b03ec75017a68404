#!/bin/sh
# Build what every package holds, from the sources beside this script:
#
#   deploy/build.sh OUT [VERSION]
#
#   OUT/vaguemestre    the program, static
#   OUT/man1/          its manual pages
#   OUT/completions/   for bash, zsh and fish
#   OUT/notices        the licences of what is linked into it
#
# VERSION is what --version says; without one it is what Go knows of the sources.
# The same sources, version and Go give the same bytes. GOARCH is honoured.
set -eu
umask 022
export LC_ALL=C TZ=UTC

[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: $0 OUT [VERSION]" >&2; exit 2; }
version=${2:-}
case $version in
*[!0-9A-Za-z.+~-]*) echo "$0: the version has a character that is none of 0-9 A-Z a-z . + ~ -" >&2; exit 1 ;;
esac
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -z "$(ls -A "$out")" ] || { echo "$0: $1 is not empty" >&2; exit 1; }
cd "$top"

# No C library: the program runs on any Linux, in an image that holds nothing
# else, and with none of the name services that a C library would load.
CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "-s -w -buildid= -X main.stamped=$version" -o "$out/vaguemestre" ./cmd/vaguemestre

# Written by the program itself; by one of this machine when it is for another.
if [ "$(go env GOARCH)" = "$(go env GOHOSTARCH)" ]; then
	manual="$out/vaguemestre"
else
	manual=$(mktemp)
	trap 'rm -f "$manual"' EXIT
	CGO_ENABLED=0 GOARCH='' go build -o "$manual" ./cmd/vaguemestre
fi
"$manual" manual --out "$out/manual" >/dev/null
mv "$out/manual/man1" "$out/manual/completions" "$out"
rmdir "$out/manual"

# Whoever hands on a binary hands on the licences of what is in it.
{
	printf 'The program vaguemestre contains the following, each under its licence.\n'
	printf '\n==== The Go programming language, its runtime and standard library\n\n'
	cat "$(go env GOROOT)/LICENSE"
	go version -m "$out/vaguemestre" | awk '$1 == "dep" { print $2, $3 }' >"$out/deps"
	while read -r module version; do
		dir=$(go list -m -f '{{.Dir}}' "$module")
		found=
		for f in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
			[ -f "$f" ] || continue
			printf '\n==== %s %s, %s\n\n' "$module" "$version" "$(basename "$f")"
			cat "$f"
			found=yes
		done
		[ "$found" ] || { echo "$0: $module has no licence file" >&2; exit 1; }
	done <"$out/deps"
} >"$out/notices"
rm "$out/deps"
