#!/bin/sh
# The unit, judged by systemd's own tools: how much of the machine is left open to
# the service, and whether every line is understood.
set -eu
cd "$(dirname "$0")/.."
. test/checks.sh

most=15 # tenths: DESIGN asks for 1.5 at most

# scored UNIT: its score, on standard output; fails above the most.
scored() {
	systemd-analyze security --no-pager --offline=true --threshold=$most "$1" | tail -n 1
	systemd-analyze security --no-pager --offline=true --threshold=$most "$1" >/dev/null
}

# understood UNIT: the program is not installed here, its manual neither; anything
# else that is said is a fault.
understood() {
	said=$(systemd-analyze verify --man=no "$1" 2>&1 | grep -v 'Command /usr/bin/vaguemestre is not executable' || true)
	[ -z "$said" ] || { echo "$said"; return 1; }
}

if has systemd-analyze systemd; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	scored systemd/vaguemestre.service || true
	check "the unit scores 1.5 at most" scored systemd/vaguemestre.service
	check "systemd understands every line of it" understood systemd/vaguemestre.service

	# What an operator adds to be heard from elsewhere keeps it there.
	{
		cat systemd/vaguemestre.service
		grep -v '^ *#' examples/network.conf
	} >"$work/vaguemestre.service"
	check "so it does with examples/network.conf" scored "$work/vaguemestre.service"

	# This script can fail.
	grep -v '^CapabilityBoundingSet=\|^SystemCallFilter=\|^Protect' systemd/vaguemestre.service >"$work/open.service"
	deny "a unit without its fences scores more" scored "$work/open.service"
	sed 's/^ProtectClock=/ProtectClok=/' systemd/vaguemestre.service >"$work/slip.service"
	deny "a slip in a line is seen" understood "$work/slip.service"
fi
done_checking
