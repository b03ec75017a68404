# Sourced by the scripts of this folder: what is checked is named, counted, and
# summed up by "done_checking", which fails if anything missed.
#
#   check "what holds" COMMAND [ARG]…   COMMAND succeeds
#   deny  "what does not" COMMAND …     COMMAND fails
#   skip  "why"                         named, and a failure where CI=true

passed=0 failed=0 skipped=0

check() {
	what=$1
	shift
	if said=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok    $what"
	else
		failed=$((failed + 1))
		echo "MISS  $what"
		printf '%s\n' "$said" | tail -n 12 | sed 's/^/      | /'
	fi
}

refused() { ! "$@"; }
deny() {
	what=$1
	shift
	check "$what" refused "$@"
}

skip() {
	if [ "${CI:-}" = true ]; then
		failed=$((failed + 1))
		echo "MISS  $1"
	else
		skipped=$((skipped + 1))
		echo "skip  $1"
	fi
}

# has TOOL PACKAGE: whether it is there; it says so where it is not.
has() {
	command -v "$1" >/dev/null 2>&1 && return 0
	skip "$1 is not there (Debian package $2)"
	return 1
}

done_checking() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
