#!/bin/bash
# Run by deb.sh as root inside a fresh Debian root where no systemd runs:
#
#   installed.sh VERSION.deb NEWER.deb
#
# Install, make a broker, run it, upgrade, remove, purge, install again.
set -u
cd "$(dirname "$0")" || exit 1
. ./checks.sh
. ./machine.sh
deb=$1 newer=$2

echo "-- installed"
check "dpkg installs it" dpkg -i "$deb"
for f in /usr/bin/vaguemestre /lib/systemd/system/vaguemestre.service /usr/lib/sysusers.d/vaguemestre.conf \
	/usr/lib/tmpfiles.d/vaguemestre.conf /etc/default/vaguemestre /usr/share/doc/vaguemestre/copyright \
	/usr/share/doc/vaguemestre/changelog.gz /usr/share/doc/vaguemestre/install.md /usr/share/doc/vaguemestre/notices.gz \
	/usr/share/man/man1/vaguemestre.1.gz /usr/share/man/man1/vaguemestre-journal-backup.1.gz \
	/usr/share/bash-completion/completions/vaguemestre /usr/share/zsh/vendor-completions/_vaguemestre \
	/usr/share/fish/vendor_completions.d/vaguemestre.fish; do
	# The base image of a container leaves documentation out.
	check "$f is there" test -s "$f"
done
check "every file is as it was packed" dpkg --verify vaguemestre
check "the program runs" vaguemestre --help
completed() { bash -c '. /usr/share/bash-completion/completions/vaguemestre && complete -p vaguemestre'; }
check "bash takes the completion" completed
check "its user is a system one that cannot log in" \
	sh -c 'getent passwd vaguemestre | grep -q ":/usr/sbin/nologin$" && [ "$(id -u vaguemestre)" -lt 1000 ]'
check "the data directory is its own, and closed" test "$(stat -c '%U %G %a' $data)" = "vaguemestre vaguemestre 700"
check "the data directory is empty" test -z "$(ls -A $data)"
check "the service is enabled" systemctl is-enabled --quiet vaguemestre
check "systemd understands the unit" sh -c '! systemd-analyze verify --man=no /lib/systemd/system/vaguemestre.service 2>&1 | grep .'
running() { grep -lsx vaguemestre /proc/[0-9]*/comm; }
deny "nothing runs before init" running

if made; then
	echo "-- init"
	deny "serve refuses a directory without a broker" as_owner vaguemestre serve --config $config
	check "init makes a broker in the directory of the package" initialised
	check "the sheet of fingerprints and one token were printed" sh -c "grep -q '^ase-59@.*=' '$out/sheet' && test $(token | wc -c) = 48"
	check "what was made is closed to others" closed
	check "the configuration is right" as_owner vaguemestre config check --config $config
	deny "a second init is refused" initialised "$out/again"

	echo "-- serve"
	install -d -o vaguemestre -m 700 /run/passphrase
	printf '%s' "$passphrase" >/run/passphrase/vaguemestre-passphrase
	chown vaguemestre /run/passphrase/vaguemestre-passphrase
	serve() { as_owner env CREDENTIALS_DIRECTORY=/run/passphrase vaguemestre serve --config $config >>"$out/log" 2>&1 & }
	serve
	check "it is ready, with the passphrase as a credential" within 60 get 8481 /readyz 200 '"ready":true'
	check "it lives" get 8481 /healthz 200 ok
	check "it is measured" get 8481 /metrics 200 vaguemestre_build_info
	check "the API answers where the configuration says" get 8480 /openapi.json 200 '"openapi"'
	check "admin.sock is its owner's" test "$(stat -c '%U %a' $data/admin.sock)" = "vaguemestre 600"
	check "a command works beside it" as_owner vaguemestre keys list --data $data
	install -d -o vaguemestre -m 700 /var/backups/vaguemestre
	check "a backup is made beside it" as_owner vaguemestre journal backup --data $data --out /var/backups/vaguemestre/copy
	check "the backup verifies" as_owner vaguemestre journal verify --data /var/backups/vaguemestre/copy

	echo "-- stopped"
	runs=$(running | sed 's|/proc/\([0-9]*\)/comm|\1|')
	check "one broker runs" test "$(echo "$runs" | wc -w)" = 1
	kill -TERM $runs
	wait $!
	check "told to stop, it ends well" test $? = 0
	deny "its socket is gone" test -e $data/admin.sock
	check "its log says what it does" grep -q '"msg":"serving"' "$out/log"
	deny "its log says nothing of the token" grep -qF -e "$(token)" "$out/log"
	check "the journal verifies" as_owner vaguemestre journal verify --data $data
	check "what it wrote is closed to others" closed
	before=$(sums)
else
	echo "      this program has no serve yet: init, serve and data are not tried"
	skip "vaguemestre serve is not in this program"
	echo kept >$data/journal.db
	before=$(sums)
fi

echo "-- upgraded"
echo "# of this machine" >>/etc/default/vaguemestre
check "dpkg upgrades it" dpkg -i "$newer"
check "what the operator wrote in /etc stays" grep -q "^# of this machine" /etc/default/vaguemestre
check "the data is as it was" test "$before" = "$(sums)"

echo "-- removed"
check "dpkg removes it" dpkg -r vaguemestre
left() { find /usr /lib /etc -path '*vaguemestre*' ! -path /etc/default/vaguemestre ! -path '/etc/systemd/*' ! -type d; }
check "nothing of it is left in /usr" test -z "$(left)"
check "its settings stay" test -e /etc/default/vaguemestre
check "the data is as it was" test "$before" = "$(sums)"

echo "-- purged"
check "dpkg purges it" sh -c "dpkg -P vaguemestre >'$out/purge' 2>&1"
check "it says where the data is" grep -q "left in $data" "$out/purge"
deny "its settings are gone" test -e /etc/default/vaguemestre
check "no link to the unit is left" test -z "$(find /etc/systemd /var/lib/systemd -name '*vaguemestre*' 2>/dev/null)"
check "the data is as it was" test "$before" = "$(sums)"
check "its owner too" test "$(stat -c %U $data)" = vaguemestre

echo "-- installed again"
check "dpkg installs it over the data" dpkg -i "$deb"
check "the data is as it was" test "$before" = "$(sums)"
if made; then
	serve
	check "the broker is ready again" within 60 get 8481 /readyz 200 '"ready":true'
	kill -TERM "$(running | sed 's|/proc/\([0-9]*\)/comm|\1|')"
	wait $!
	check "the journal verifies" as_owner vaguemestre journal verify --data $data
fi
done_checking
