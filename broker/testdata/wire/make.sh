#!/bin/sh
# Makes export/ and export-open/ of this folder, or of the folder given, from
# keys/ and source/. POSIX sh, gpg (2.2 or later), sha256sum, xxd.
#
#     sh make.sh [OUT]
#
# Session keys are random: body.pgp, the sealed evidences and what depends on
# them differ from one run to the next. What is committed is one run.
set -eu
LC_ALL=C
export LC_ALL
umask 022
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=${1:-$HERE}
WORK=${TMPDIR:-/tmp}/wire-make.$$
SOURCE=$HERE/source
KEYS=${KEYS:-$HERE/keys}
HOME_GPG=$WORK/gpg
. "$HERE/lib.sh"

mkdir -m 700 "$WORK"
trap 'keys_drop; rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM
keys_load
rm -rf "$OUT/export" "$OUT/export-open"
DIR=$OUT/export
make_export
cp -R "$OUT/export" "$OUT/export-open"
DIR=$OUT/export-open
make_open
