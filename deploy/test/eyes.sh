#!/bin/sh
# Eyes of others on a served broker: testssl.sh (TLS), slowhttptest (slow callers)
# and h2spec (HTTP/2, RFC 9113), over TLS at an address of this machine. It takes
# some minutes; SHORT=1 runs slowhttptest alone, for ten seconds. What was found,
# and why it stands, is in docs/eyes.md: what is not listed there fails.
#
#   sh deploy/test/eyes.sh [FOLDER]     reports are left in FOLDER
set -eu
cd "$(dirname "$0")/../.."
. deploy/test/checks.sh

work=$(mktemp -d)
reports=${1:-$work/reports}
mkdir -p "$reports"
reports=$(cd "$reports" && pwd)
served=
trap '[ -z "$served" ] || kill "$served" 2>/dev/null; rm -rf "$work"' EXIT

export VAGUEMESTRE_PASSPHRASE='phrase fictive pour ces essais'
go build -o "$work/vaguemestre" ./cmd/vaguemestre
"$work/vaguemestre" init --data "$work/d" --party ase-59 --role ase --institution 'Département fictif' \
	--departement 59 --listen 127.0.0.1:0 >/dev/null 2>&1
mkdir "$work/d/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/d/tls/key.pem" -out "$work/d/tls/cert.pem" 2>/dev/null
sed -i 's/^# tls_/tls_/; s/127.0.0.1:8481/127.0.0.1:0/; s/^rate_per_second = .*/rate_per_second = 1000/; s/^burst = .*/burst = 1000/' \
	"$work/d/vaguemestre.toml"
"$work/vaguemestre" serve --config "$work/d/vaguemestre.toml" 2>"$work/log" &
served=$!

port=
for _ in $(seq 300); do
	port=$(sed -n 's/.*"api":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/log")
	[ -z "$port" ] || break
	sleep 0.2
done
admin=$(sed -n 's/.*"admin":"\([0-9.:]*\)".*/\1/p' "$work/log")
[ -n "$port" ] || { cat "$work/log"; exit 1; }

alive() { kill -0 "$served" && curl -sk --max-time 20 -o "$work/kinds" "https://127.0.0.1:$port/v1/kinds" && grep -q signalement "$work/kinds"; }

# slow NAME FLAG…: two hundred slow callers, all of whom must be sent away.
slow() {
	what=$1
	shift
	slowhttptest -c 200 -r 200 -l "$seconds" -p 3 -u "https://127.0.0.1:$port/v1/kinds" "$@" >"$reports/slow-$what.txt" 2>&1 || true
	sed 's/\x1b\[[0-9;]*m//g' "$reports/slow-$what.txt" | grep -E 'Exit status|closed:|connected:|service available' | tail -n 4
	grep -q 'No open connections left' "$reports/slow-$what.txt"
}

# The answer of a route without a token fits in the buffers of the system: what a
# slow reader holds is no more this program's. It must be left with no call.
slowread() {
	slow read "$@" || true
	grep -q 'service available: *.*YES' "$reports/slow-read.txt" && calls
}
calls() { curl -s "http://$admin/metrics" | grep -q '^vaguemestre_http_calls 0$'; }

check "the broker answers" alive
if has slowhttptest slowhttptest; then
	dpkg-query -W -f '${Package} ${Version}\n' slowhttptest 2>/dev/null || true
	seconds=10
	check "200 slow headers are sent away" slow headers -H -i 1
	check "it answers after them" alive
	if [ -z "${SHORT:-}" ]; then
		seconds=40
		check "200 slow bodies are sent away" slow body -B -i 1 -s 8192
		check "200 slow readers take no call, nor its place from others" slowread -X -w 10 -y 20 -n 5 -z 5 -k 1
		check "200 callers with ranges are sent away" slow range -R -a 10 -b 3000
		check "it answers after all of them" alive
	fi
fi

if [ -z "${SHORT:-}" ] && has testssl testssl.sh; then
	dpkg-query -W -f '${Package} ${Version}\n' testssl.sh 2>/dev/null || true
	testssl --quiet --color 0 --warnings batch --jsonfile "$reports/testssl.json" "127.0.0.1:$port" >"$reports/testssl.txt" 2>&1 || true
	# Worse than INFO, but for what docs/eyes.md explains.
	found() { tr -d '\n' <"$reports/testssl.json" | sed 's/}/}\n/g' | grep -E '"severity" *: *"(LOW|MEDIUM|HIGH|CRITICAL|WARN|FATAL)"' | sed 's/.*"id" *: *"\([^"]*\)".*"severity" *: *"\([^"]*\)".*/\1 \2/'; }
	unexplained() { found | while read -r id rest; do grep -q "\`$id\`" docs/eyes.md || echo "$id $rest"; done; }
	known() { [ -s "$reports/testssl.json" ] && [ -z "$(unexplained)" ] || { unexplained; return 1; }; }
	echo "testssl.sh: $(grep -c '"severity"' "$reports/testssl.json") findings, $(found | wc -l) above INFO"
	check "testssl.sh finds nothing that is not explained" known
	check "it answers after testssl.sh" alive
fi

if [ -z "${SHORT:-}" ]; then
	if GOBIN=$work go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible >"$reports/h2spec.txt" 2>&1; then
		"$work/h2spec" -t -k -h 127.0.0.1 -p "$port" -P /v1/kinds -o 5 >"$reports/h2spec.txt" 2>&1 || true
		grep ' tests, ' "$reports/h2spec.txt" || true
		h2known() { n=$(sed -n 's/^[0-9]* tests, .* \([0-9]*\) failed.*/\1/p' "$reports/h2spec.txt") && [ -n "$n" ] && [ "$n" -le 5 ]; }
		check "h2spec finds no more than docs/eyes.md explains" h2known
		check "it answers after h2spec" alive
	else
		skip "h2spec cannot be had (Go module github.com/summerwind/h2spec)"
	fi
fi
done_checking
