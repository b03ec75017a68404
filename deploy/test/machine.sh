# Sourced inside the fresh root by installed.sh and booted.sh.

data=/var/lib/vaguemestre
config=$data/vaguemestre.toml
passphrase='a passphrase of this test only'
out=$(mktemp -d)

as_owner() { runuser -u vaguemestre -- "$@"; }

# get PORT PATH STATUS WORD: what the broker answers, without any client.
get() (
	exec 3<>"/dev/tcp/127.0.0.1/$1"
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
	answer=$(cat <&3)
	case $answer in
	"HTTP/1."?" $3"*"$4"*) ;;
	*) printf '%s\n' "$answer" | head -n 1; return 1 ;;
	esac
)

# within SECONDS COMMAND …: it succeeds before that.
within() {
	left=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { "$@"; return; }
		sleep 0.2
	done
}

# closed: nothing of the data directory is open to others than its owner.
closed() {
	found=$(find $data \( -perm /077 -o ! -user vaguemestre \) ! -type l)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

# sums: digests of every file that lasts.
sums() { find $data -type f -exec sha256sum {} + | sort -k 2; }

# made: whether this program knows init and serve yet.
made() { vaguemestre serve --help >/dev/null 2>&1; }

# initialised [FILE]: a broker is made; what is printed goes to FILE.
initialised() {
	as_owner env VAGUEMESTRE_PASSPHRASE="$passphrase" vaguemestre init --data $data --party ase-59 --role ase \
		--institution 'Département du Nord' --departement 59 >"${1:-$out/sheet}"
}

# token: the one that init printed. Looking for none would find it everywhere.
token() { grep -o 'vmt_[A-Za-z0-9_-]*' "$out/sheet" || echo none-was-printed; }
