#!/bin/bash
# Run by deb.sh as root inside a fresh Debian root that systemd has booted:
#
#   booted.sh VERSION.deb NEWER.deb
#
# The service as it is in production: credential, readiness, watchdog, restarts,
# fences, upgrade, removal.
set -u
cd "$(dirname "$0")" || exit 1
. ./checks.sh
. ./machine.sh
deb=$1 newer=$2

# value NAME: what systemd says of the service.
value() { systemctl show -P "$1" vaguemestre; }
is() { test "$(value "$1")" = "$2" || { echo "$1 is $(value "$1")"; return 1; }; }
status_of() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$(value MainPID)/status"; }
# hit SIGNAL: at the service; 0 would be this script and all beside it.
hit() {
	pid=$(value MainPID)
	echo "$pid" >"$out/hit"
	if [ "$pid" = 0 ]; then return 1; fi
	kill -"$1" "$pid"
}
other() { now=$(value MainPID); test "$now" != 0 && test "$now" != "$1"; }
ready() { get 8481 /readyz 200 '"ready":true'; }

echo "-- booted: installed"
check "dpkg installs it" dpkg -i "$deb"
check "the service is enabled" systemctl is-enabled --quiet vaguemestre
check "starting it before init is no error" systemctl start vaguemestre
check "and starts nothing" is ActiveState inactive
if ! made; then
	skip "vaguemestre serve is not in this program"
	done_checking
	exit
fi

echo "-- booted: started"
check "init makes a broker" initialised
deny "it does not start without its credential" systemctl start vaguemestre
systemctl stop vaguemestre
systemctl reset-failed vaguemestre 2>/dev/null
seal() { printf '%s' "$passphrase" | systemd-creds encrypt --name=vaguemestre-passphrase - /etc/credstore.encrypted/vaguemestre-passphrase; }
check "the passphrase becomes a credential" seal
deny "which holds it sealed" grep -q "$passphrase" /etc/credstore.encrypted/vaguemestre-passphrase
check "it starts, and says when it is ready" systemctl start vaguemestre
check "it is active" is ActiveState active
if [ "$(value MainPID)" = 0 ]; then
	journalctl -q --no-pager -o cat -u vaguemestre | tail -n 5
	done_checking
	exit
fi
check "it is ready" within 20 ready
check "a command works beside it" as_owner vaguemestre keys list --data $data
check "the watchdog hears it" within 40 sh -c '[ "$(systemctl show -P WatchdogTimestampMonotonic vaguemestre)" -gt 0 ]'

echo "-- booted: fenced"
check "it is not root" test "$(status_of Uid)" = "$(id -u vaguemestre)"
check "it has no capability" test "$(status_of CapBnd)" = 0000000000000000
check "it can gain no privilege" test "$(status_of NoNewPrivs)" = 1
check "its system calls are filtered" test "$(status_of Seccomp)" = 2
check "it leaves no core" grep -q '^Max core file size *0 *0 ' "/proc/$(value MainPID)/limits"
# What the service sees of the machine, looked at from outside: a command run
# among its fences would prove nothing, since none can be.
seen=/proc/$(value MainPID)/root
: >/root/mark
deny "the system cannot be written" touch "$seen/etc/mark"
deny "nor /tmp of the machine seen" test -e "$seen$out/sheet"
deny "nor homes" test -e "$seen/root/mark"
deny "nothing else can be run" "$seen/bin/true"
check "the program can" "$seen/usr/bin/vaguemestre" --help
check "the data directory can be written" sh -c "touch '$seen$data/mark' && rm '$seen$data/mark'"
check "the data is closed to others" closed

echo "-- booted: started again"
check "it is killed" hit KILL
pid=$(cat "$out/hit")
check "killed, it comes back" within 40 other "$pid"
check "and is ready" within 40 ready
check "it is frozen" hit STOP
pid=$(cat "$out/hit")
check "frozen, it is replaced by the watchdog" within 120 other "$pid"
check "and is ready" within 40 ready

echo "-- booted: upgraded"
pid=$(value MainPID)
check "dpkg upgrades it" dpkg -i "$newer"
check "the new program runs" within 40 other "$pid"
check "and is ready" within 40 ready

echo "-- booted: stopped"
check "it stops" systemctl stop vaguemestre
check "well" is Result success
check "the journal verifies" as_owner vaguemestre journal verify --data $data
logged() { journalctl -q -o cat -u vaguemestre | grep -qF -e "$1"; }
check "what it said is in the system's journal" logged '"msg":"serving"'
deny "without the token" logged "$(token)"
deny "without the passphrase" logged "$passphrase"

echo "-- booted: removed"
check "it starts" systemctl start vaguemestre
check "dpkg removes it while it runs" dpkg -r vaguemestre
running() { grep -lsx vaguemestre /proc/[0-9]*/comm; }
deny "nothing of it runs" running
check "the data is there" test -s $data/journal.db
check "dpkg purges it" dpkg -P vaguemestre
check "the data is there" test -s $data/journal.db
check "the passphrase too" test -s /etc/credstore.encrypted/vaguemestre-passphrase
check "systemd knows it no more" sh -c '! systemctl cat vaguemestre'
done_checking
