#!/bin/sh
# check.sh: verifier.sh accepts the exports of this folder and a fresh run of
# make.sh, and refuses every forgery below. POSIX sh, gpg, sha256sum, xxd.
#
#     sh check.sh            about a minute
#     SH=bash sh check.sh    verifier.sh run by another shell
#
# Forgers here hold what real ones could: F_KEYS says whose keys. A forgery that
# needs no key alters bytes; one that does is signed and listed again, so that
# only the rule in question can refuse it.
set -eu
LC_ALL=C
export LC_ALL
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TMPDIR:-/tmp}/wire-check.$$
SOURCE=$HERE/source
KEYS=$HERE/keys
HOME_GPG=$TOP/gpg
SH=${SH:-sh}
good=0 bad=0
. "$HERE/lib.sh"

mkdir -m 700 "$TOP"
trap 'keys_drop; rm -rf "$TOP"' EXIT
trap 'exit 1' HUP INT TERM
ANCHORS=$(cat "$KEYS/anchors")
keys_load

# --- What is expected ----------------------------------------------------------

# verdict WANTED NAME PATTERN ARG…: verifier.sh on ARG… exits with WANTED, and
# says something that PATTERN (a basic regular expression) matches.
verdict() {
	wanted=$1 name=$2 pattern=$3
	shift 3
	got=0
	"$SH" "$HERE/verifier.sh" "$@" >"$TOP/said" 2>&1 || got=$?
	if [ "$got" -eq "$wanted" ] && grep -q -e "$pattern" "$TOP/said"; then
		good=$((good + 1))
	else
		bad=$((bad + 1))
		printf 'WRONG: %s: exit %s instead of %s\n' "$name" "$got" "$wanted"
		sed 's/^/       /' "$TOP/said"
	fi
}

# shellcheck disable=SC2086
passes() { verdict 0 "$1" "${3:-VÉRIFIÉ}" "$2" $ANCHORS; }
# fails NAME PATTERN: what is in DIR.
# shellcheck disable=SC2086
fails() { verdict 3 "$1" "ÉCHEC : .*$2" "$DIR" $ANCHORS; }

# --- Making variants -------------------------------------------------------------

# fresh: an empty WORK and DIR.
fresh() {
	rm -rf "$TOP/case"
	WORK=$TOP/case/work DIR=$TOP/case/export
	mkdir -p "$WORK"
	DONE= REASON= DETAIL= SIGNER= HEADER_SIGNER= LIST_SIGNER= HASH= SIZE=13
}

# copy [export-open]: a copy of the committed export in DIR.
copy() {
	fresh
	cp -R "$HERE/${1:-export}" "$DIR"
}

# again: the export made again, in DIR, as make.sh does.
again() {
	fresh
	cp -R "$TOP/base/work/." "$WORK"
	cp -R "$TOP/base/export" "$DIR"
}

# close_up: log, proof and list made and signed again by the exporting broker.
close_up() {
	make_log
	make_proof 3 4 6 8 9 12
	make_list
}

# flip FILE OFFSET: one bit of one byte.
flip() {
	byte=$(xxd -s "$2" -l 1 -p "$1")
	printf '%02x' $((0x$byte ^ 1)) | xxd -r -p | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# resign BY TIME FILE SED: a signed JSON edited, then signed again.
resign() {
	sed "$4" "$3" | tr -d '\n' >"$TOP/edited"
	cmp -s "$TOP/edited" "$3" && die "nothing edited: $4"
	cp "$TOP/edited" "$3"
	sign "$1" "$2" "$3"
}

# --- What must pass ----------------------------------------------------------------

passes 'committed export' "$HERE/export"
passes 'committed export, open' "$HERE/export-open" 'open/ :'
cmp "$HERE/verifier.sh" "$HERE/export/verifier.sh" && cmp "$HERE/verifier.sh" "$HERE/export-open/verifier.sh" ||
	{ bad=$((bad + 1)); echo 'WRONG: the exports carry another verifier.sh: run make.sh'; }
sh "$HERE/make.sh" "$TOP/made"
passes 'a fresh run of make.sh' "$TOP/made/export"
passes 'a fresh run of make.sh, open' "$TOP/made/export-open"

fresh
mkdir "$TOP/base"
make_export
cp -R "$TOP/case/work" "$TOP/case/export" "$TOP/base/"

again
rm "$DIR"/evidence/*.detail.pgp
make_list
passes 'sealed acts erased' "$DIR" 'Note : .*effacé'

again
resign parquet-lille 2026-11-20T22:41:07.911Z "$DIR/evidence/02-consigned-parquet-lille.json" 's/"prev":\["[0-9a-f]*"/"prev":["'"$(word gap)"'"/'
close_up
passes 'a gap in prev' "$DIR" 'Note : .*antérieure'

# An alarm by the recipient's broker, an overdue and a purge by the sender's; the
# body is then gone.
again
HEAD_SIZE=12 HEAD_ROOT=$(word head)
for e in 06:alerted:parquet-lille:courrier-justice-lille 07:overdue:parquet-lille:courrier-nord 08:purged::courrier-nord; do
	n=${e%%:*} e=${e#*:}
	event=${e%%:*} e=${e#*:}
	to=${e%%:*} by=${e#*:}
	f=$DIR/evidence/$n-$event-${to:-all}.json
	evidence "$f" "$event" "$to" 2026-11-20T23:00:00.000Z "$by" "$by" "$(digest "$DIR/deposit.json")"
	leaf $((7 + ${n#0})) "$event" 2026-11-20T23:00:00.100Z "$id" "$(digest "$f")"
done
SIZE=16
rm "$DIR/body.pgp"
make_proof 3 4 6 8 9 12 13 14 15
make_list
passes 'alerted, overdue, purged' "$DIR" 'Note : body.pgp a été effacé'

verdict 3 'no anchor' "Rien n'est prouvé" "$HERE/export"
verdict 2 'two folders' Emploi "$HERE/export" "$HERE/export-open"
verdict 2 'short fingerprint' Emploi "$HERE/export" ase-59@courrier-nord=acd4d2dff
# shellcheck disable=SC2086
verdict 2 'one key for two names' 'deux noms' "$HERE/export" $ANCHORS "juge-x@courrier-nord=$(fpr ase-59)"
cp -R "$HERE/export" "$TOP/own"
got=0
# shellcheck disable=SC2086
(cd / && "$SH" "$TOP/own/verifier.sh" $ANCHORS >/dev/null 2>&1) || got=$?
[ $got -eq 0 ] && good=$((good + 1)) || { bad=$((bad + 1)); echo 'WRONG: verifier.sh of an export, from elsewhere'; }

# --- Bytes -----------------------------------------------------------------------------

# Every file, one byte: the first, the middle one, the last.
for v in export export-open; do
	for f in $(cd "$HERE/$v" && find . -type f | sort); do
		case $v:$f in
		*:./export.sha256.asc) continue ;;
		export-open:./open/*) ;;
		export-open:*) continue ;; # the same as in export
		esac
		size=$(($(wc -c <"$HERE/$v/$f")))
		for offset in 0 $((size / 2)) $((size - 1)); do
			copy $v
			flip "$DIR/$f" $offset
			fails "$v: $f byte $offset" ''
		done
		copy $v
		rm "$DIR/$f"
		fails "$v: $f removed" ''
		copy $v
		printf '\n' >>"$DIR/$f"
		fails "$v: $f with a line more" ''
	done
done
copy
flip "$DIR/export.sha256.asc" 90
fails 'signature of the list altered' 'export.sha256'
copy
rm "$DIR/export.sha256.asc"
fails 'signature of the list removed' 'export.sha256.asc'
for f in new.txt evidence/06-opened-je-lille.json open/x certs/x .x; do
	copy
	mkdir -p "$DIR/${f%/*}" 2>/dev/null || :
	[ "$f" = new.txt ] || [ "$f" = .x ] || mkdir -p "$DIR/${f%/*}"
	rm -rf "$DIR/new.txt" "${DIR:?}/.x"
	echo x >"$DIR/$f"
	fails "added: $f" ''
done
for f in new.txt certs/note.pgp leaf/06.json evidence/09-opened-je-lille.json evidence/02-consigned-parquet-lille.detail.pgp; do
	again
	echo x >"$DIR/$f"
	make_list
	fails "added and listed: $f" ''
done
copy export-open
cp "$DIR/open/parts/acte.json" "$DIR/open/parts/piece-02.pdf"
fails 'a part more in open/' 'inattendu'
copy
ln -s header.json "$DIR/link"
fails 'a symbolic link' 'autre chose'
copy
mv "$DIR/body.pgp" "$DIR/b" && ln -s b "$DIR/body.pgp"
fails 'body.pgp a symbolic link' 'autre chose'
copy
echo x >"$DIR/a
b"
fails 'a line feed in a name' 'anormal'
copy
echo x >"$DIR/a b"
fails 'a space in a name' 'anormal'

# --- Complete forgery ---------------------------------------------------------------------

fresh
mkdir "$TOP/forged" "$TOP/forged/home"
chmod 700 "$TOP/forged/home"
real_home=$HOME_GPG
for owner in $owners; do
	kind=future-default usage=default
	case $owner in courrier*) kind=ed25519 usage=sign ;; esac
	gpg --homedir "$TOP/forged/home" --quiet --batch --no-options --passphrase '' --faked-system-time '20261102T080000!' \
		--quick-gen-key "$owner (cle d'essai publique, sans valeur)" $kind $usage never 2>/dev/null
	gpg --homedir "$TOP/forged/home" --quiet --batch --no-options --pinentry-mode loopback --passphrase '' --armor \
		--export-secret-keys "=$owner (cle d'essai publique, sans valeur)" >"$TOP/forged/$owner.asc" 2>/dev/null
done
gpgconf --homedir "$TOP/forged/home" --kill all
KEYS=$TOP/forged HOME_GPG=$TOP/forged/gpg
keys_load
make_export
fails 'complete forgery with fresh keys' 'ancre'
# shellcheck disable=SC2046
verdict 0 'the same, by the forger'\''s own anchors' VÉRIFIÉ "$DIR" \
	$(for p in ase-59@courrier-nord parquet-lille@courrier-justice-lille je-lille@courrier-justice-lille courrier-nord courrier-justice-lille; do
		echo "$p=$(fpr "${p%@*}")"
	done)
keys_drop
HOME_GPG=$real_home GNUPGHOME=$real_home KEYS=$HERE/keys

# --- Signed by another ----------------------------------------------------------------------

for one in ase-59 parquet-lille je-lille courrier-nord courrier-justice-lille; do
	fresh
	mkdir "$DIR"
	make_first_leaves
	SIGNER=$one HEADER_SIGNER=$one LIST_SIGNER=$one
	make_pli 2026-11-20T22:41:07.051Z
	make_deposit
	make_evidences
	make_log
	make_proof 3 4 6 8 9 12
	make_certs
	make_directory
	cp "$HERE/verifier.sh" "$SOURCE/LISEZMOI.txt" "$DIR/"
	LIST_SIGNER=
	make_list
	fails "header, deposit and evidences all signed by $one" 'ancre'
	fresh
	mkdir "$DIR"
	make_first_leaves
	make_pli 2026-11-20T22:41:07.051Z
	make_deposit
	SIGNER=$one
	make_evidences
	SIGNER=
	make_log
	make_proof 3 4 6 8 9 12
	make_certs
	make_directory
	cp "$HERE/verifier.sh" "$SOURCE/LISEZMOI.txt" "$DIR/"
	make_list
	fails "evidences all signed by $one" 'ancre'
done

e2=evidence/02-consigned-parquet-lille.json
at2=2026-11-20T22:41:07.911Z
for who in je-lille ase-59 courrier-justice-lille courrier-nord; do
	again
	sign $who $at2 "$DIR/$e2"
	make_list
	fails "consigned of parquet-lille signed by $who" "$e2 : signé par une clé"
	again
	case $who in
	ase-59 | courrier-nord) h=courrier-nord ;;
	*) h=courrier-justice-lille ;;
	esac
	if [ $h = courrier-nord ]; then
		resign $who $at2 "$DIR/$e2" "s/\"by\":\"parquet-lille\",\"home\":\"courrier-justice-lille\"/\"by\":\"$who\",\"home\":\"$h\"/; s/\"log\":.*/\"log\":{\"broker\":\"courrier-nord\",\"origin\":\"courrier-nord\/log\/5b1f0c7e9a3d4286b7c8d9e0f1a2b3c4\",\"size\":3,\"root\":\"$(word x)\"}}/"
	else
		resign $who $at2 "$DIR/$e2" "s/\"by\":\"parquet-lille\"/\"by\":\"$who\"/"
	fi
	close_up
	fails "consigned of parquet-lille signed by $who in its own name" 'ne peut pas attester'
done
again
sign courrier-justice-lille "$EXPORT_AT" "$DIR/export.sha256"
fails 'list signed by another broker' 'export.sha256 : signé par'
again
sign courrier-justice-lille "$EXPORT_AT" "$DIR/checkpoint.txt"
make_list
fails 'checkpoint signed by another broker' 'checkpoint.txt : signé par'
again
resign courrier-justice-lille 2026-11-20T22:41:07.123Z "$DIR/deposit.json" 's/"by":"courrier-nord","home":"courrier-nord"/"by":"courrier-justice-lille","home":"courrier-justice-lille"/; s/"log":.*/"log":{"broker":"courrier-justice-lille","origin":"courrier-justice-lille\/log\/c0ffee5eed0123456789abcdef987654","size":3,"root":"'"$(word x)"'"}}/'
close_up
fails 'deposit stamped by the recipient'\''s broker' 'deposit.json : .*foyer'
verdict 3 'sender anchored at another home' 'foyer ancré' "$HERE/export" "ase-59@courrier-justice-lille=$(fpr ase-59)" \
	"parquet-lille@courrier-justice-lille=$(fpr parquet-lille)" "je-lille@courrier-justice-lille=$(fpr je-lille)" \
	"courrier-nord=$(fpr courrier-nord)" "courrier-justice-lille=$(fpr courrier-justice-lille)"
verdict 3 'one anchor missing' 'ancre de je-lille' "$HERE/export" "ase-59@courrier-nord=$(fpr ase-59)" \
	"parquet-lille@courrier-justice-lille=$(fpr parquet-lille)" "courrier-nord=$(fpr courrier-nord)"
verdict 3 'a party anchored as a broker' 'ancre de ase-59' "$HERE/export" "ase-59=$(fpr ase-59)" "courrier-nord=$(fpr courrier-nord)"

# --- A second header: same id and body, another content digest ----------------------------------

t0=2026-11-20T22:41:07.051Z
again
make_header $t0 "$(word 'other content')"
make_list
fails 'second header, deposit and evidences of the first' "deposit.json : d'un autre en-tête"
again
make_header $t0 "$(word 'other content')"
SIGNER=ase-59
make_deposit
SIGNER=
close_up
fails 'second header, deposit forged by the sender' 'deposit.json : signé par'
again
make_header $t0 "$(word 'other content')"
make_deposit
close_up
fails 'second header, deposit forged by sender and broker together' "consigned.* : d'un autre en-tête"
again
make_header $t0 "$(word 'other content')"
make_deposit
make_evidences
close_up
make_open
fails 'second header, everything signed by accomplices, but it is open' "contenu que l'en-tête désigne"
again
resign ase-59 $t0 "$DIR/header.json" 's/"cc":\["je-lille"\]/"cc":[]/'
make_list
fails 'second header without the copy' "d'un autre en-tête"

# --- Journal ------------------------------------------------------------------------------------

again
mv "$DIR/leaf/02.json" "$TOP/x" && mv "$DIR/leaf/03.json" "$DIR/leaf/02.json" && mv "$TOP/x" "$DIR/leaf/03.json"
make_list
fails 'two leaves swapped' 'leaf/02.json'
again
make_proof 3 4 8 6 9 12
make_list
fails 'two leaves and their proofs swapped' 'leaf/02.json'
again
sed 's/"size":13/"size":14/' "$DIR/proof.json" >"$TOP/x" && cp "$TOP/x" "$DIR/proof.json"
make_list
fails 'another size in proof.json' 'checkpoint.txt'
for size in 12 14 16 21; do
	again
	top=$(sed 's/^.*"size":13,"root":"\([0-9a-f]*\)".*/\1/' "$DIR/proof.json")
	sed "s/\"size\":13/\"size\":$size/" "$DIR/proof.json" >"$TOP/x" && cp "$TOP/x" "$DIR/proof.json"
	make_checkpoint $size "$top"
	make_list
	fails "another size, $size, in proof.json and checkpoint" 'proof.json'
done
again
make_checkpoint 13 "$(word root)"
make_list
fails 'another root in the checkpoint' 'checkpoint.txt'
again
leaf 6 consigned $at2 "$id" "$(word other)"
make_proof 3 4 6 8 9 12
make_list
fails 'a leaf of another evidence' 'leaf/02.json'
again
leaf 6 alerted $at2 "$id" "$(digest "$DIR/$e2")"
make_proof 3 4 6 8 9 12
make_list
fails 'a leaf of another type' 'leaf/02.json'
again
leaf 6 consigned 2026-11-20T20:00:00.000Z "$id" "$(digest "$DIR/$e2")"
make_proof 3 4 6 8 9 12
make_list
fails 'journaled before it was signed' 'leaf/02.json'
again
make_proof 3 4 6 8 9
make_list
fails 'a leaf less' 'proof.json'
again
make_proof 3 4 6 8 9 12 11
make_list
fails 'a leaf more' 'proof.json'
again
make_proof 3 4 12 8 9 6
make_list
fails 'leaves in another order' 'leaf/02.json'
again
HEAD_SIZE=5
evidence "$DIR/deposit.json" accepted '' 2026-11-20T22:41:07.123Z courrier-nord courrier-nord
close_up
fails 'a deposit that cites a journal longer than itself' 'leaf/01.json'
again
rm "$DIR"/evidence/05-*
fails 'last evidence cut' 'export.sha256'
again
rm "$DIR"/evidence/05-*
make_list
fails 'last evidence cut, listed again' 'proof.json'
again
rm "$DIR"/evidence/03-*
make_list
fails 'an evidence cut in the middle' 'proof.json'

# --- Form and rules of evidences -----------------------------------------------------------------

# edited NAME PATTERN BY TIME FILE SED: signed again by the right signer.
edited() {
	again
	resign "$3" "$4" "$DIR/$5" "$6"
	close_up
	fails "$1" "$2"
}
e3=evidence/03-consigned-je-lille.json
e4=evidence/04-opened-parquet-lille.json
edited 'white space' forme parquet-lille $at2 $e2 's/,"id"/, "id"/'
edited 'members in another order' forme parquet-lille $at2 $e2 's/\("v":1\),\("event":"consigned"\)/\2,\1/'
edited 'a member more' forme parquet-lille $at2 $e2 's/,"prev"/,"extra":"x","prev"/'
edited 'a member twice' forme parquet-lille $at2 $e2 's/,"prev"/,"prev":[],"prev"/'
edited 'an escape' forme parquet-lille $at2 $e2 's/"by":"parquet/"by":"\\u0070arquet/'
edited 'bytes after the object' forme parquet-lille $at2 $e2 's/$/ /'
edited 'a member in upper case' forme parquet-lille $at2 $e2 's/"by"/"BY"/'
edited 'an empty optional member' forme parquet-lille $at2 $e2 's/,"header/,"reason_code":"","header/'
edited 'a number with a zero in front' forme parquet-lille $at2 $e2 's/"size":41/"size":041/'
edited 'a huge number' forme parquet-lille $at2 $e2 's/"size":41/"size":18446744073709551616/'
edited 'an instant that does not exist' forme parquet-lille $at2 $e2 's/11-20T22/11-31T22/'
edited 'an instant without milliseconds' forme parquet-lille $at2 $e2 's/07.911Z/07Z/'
edited 'a digest in upper case' forme parquet-lille $at2 $e2 's/"root":"[0-9a-f]*"/"root":"'"$(word r | tr a-f A-F)"'"/'
edited 'another version' forme parquet-lille $at2 $e2 's/"v":1/"v":2/'
edited 'an event that is none' 'nom du fichier' parquet-lille $at2 $e2 's/"consigned"/"notified"/'
edited 'an event that the file name does not say' 'nom du fichier' je-lille 2026-11-20T22:41:08.204Z $e3 's/"consigned"/"quarantined"/'
edited 'another pli' 'autre pli' parquet-lille $at2 $e2 's/019aa3d4-6b3b/019aa3d4-6b3c/'
edited 'a recipient who is none' 'nom du fichier' parquet-lille $at2 $e2 's/"recipient":"parquet-lille"/"recipient":"ase-59"/'
edited 'a detail on a machine'\''s evidence' 'detail_sha256' parquet-lille $at2 $e2 's/,"prev"/,"detail_sha256":"'"$(word d)"'","prev"/'
edited 'no detail on a person'\''s act' 'detail_sha256' parquet-lille 2026-11-20T22:46:30.520Z $e4 's/,"detail_sha256":"[0-9a-f]*"//'
edited 'a reason where there is none' reason_code parquet-lille $at2 $e2 's/,"header/,"reason_code":"autre","header/'
edited 'an origin of another broker' forme parquet-lille $at2 $e2 's/"origin":"courrier-justice-lille/"origin":"courrier-nord/'
edited 'made at another home' forme parquet-lille $at2 $e2 's/"home":"courrier-justice-lille"/"home":"courrier-nord"/'
edited 'back-dated evidence' 'pas l.heure' parquet-lille $at2 $e2 's/T22:41:07/T22:11:07/'
edited 'back-dated deposit' 'pas l.heure' courrier-nord 2026-11-20T22:41:07.123Z deposit.json 's/T22:41:07/T22:11:07/'
edited 'deposit that holds for one' 'contraire' courrier-nord 2026-11-20T22:41:07.123Z deposit.json 's/"recipient":""/"recipient":"je-lille"/'
edited 'a deposit that is not one' forme courrier-nord 2026-11-20T22:41:07.123Z deposit.json 's/"accepted"/"purged"/'
again
sign courrier-nord 2026-11-20T23:41:07.123Z "$DIR/deposit.json"
make_list
fails 'deposit signed an hour later' 'deposit.json : la date'
again
sign ase-59 2026-11-20T21:41:07.051Z "$DIR/header.json"
make_list
fails 'header signed an hour before the deposit' 'header.json : la date'
again
evidence "$DIR/$e2" consigned parquet-lille 2026-11-20T22:01:00.000Z parquet-lille courrier-justice-lille
close_up
fails 'consigned before the deposit' 'antérieur'
again
cp "$DIR/$e2" "$DIR/evidence/06-consigned-parquet-lille.json"
cp "$DIR/$e2.asc" "$DIR/evidence/06-consigned-parquet-lille.json.asc"
SIZE=14
leaf 13 consigned $at2 "$id" "$(digest "$DIR/$e2")"
make_proof 3 4 6 8 9 12 13
make_list
fails 'the same evidence twice' 'deux fois'
# extra NAME PATTERN EVENT RECIPIENT BY HOME: one more evidence, truly signed.
extra() {
	again
	HEAD_SIZE=12 HEAD_ROOT=$(word head)
	f=$DIR/evidence/06-$3-${4:-all}.json
	REASON=${REASON_X-} evidence "$f" "$3" "$4" 2026-11-20T23:00:00.000Z "$5" "$6"
	SIZE=14
	leaf 13 "$3" 2026-11-20T23:00:00.100Z "$id" "$(digest "$f")"
	make_proof 3 4 6 8 9 12 13
	make_list
	fails "$1" "$2"
}
extra 'overdue by the recipient'\''s broker' attester overdue parquet-lille courrier-justice-lille courrier-justice-lille
extra 'overdue of a copy' 'copie' overdue je-lille courrier-nord courrier-nord
extra 'alerted by the sender'\''s broker' attester alerted parquet-lille courrier-nord courrier-nord
extra 'purged by a party' attester purged '' ase-59 courrier-nord
extra 'relayed by a party' attester relayed parquet-lille je-lille courrier-justice-lille
extra 'consigned for all' contraire consigned '' parquet-lille courrier-justice-lille
extra 'a second deposit by another broker' attester accepted '' courrier-justice-lille courrier-justice-lille
extra 'an unknown event' inconnu notified parquet-lille parquet-lille courrier-justice-lille
extra 'consign_failed without reason' reason_code consign_failed je-lille je-lille courrier-justice-lille
REASON_X=illisible
extra 'consign_failed by the sender'\''s broker' attester consign_failed je-lille courrier-nord courrier-nord
extra 'rejected by the recipient'\''s broker' attester rejected '' courrier-justice-lille courrier-justice-lille
REASON_X=
edited 'header with white space' forme ase-59 $t0 header.json 's/,"from"/, "from"/'
edited 'recipients not sorted' forme ase-59 $t0 header.json 's/"to":\["parquet-lille"\]/"to":["parquet-lille","ase-62"]/'
edited 'a recipient twice' forme ase-59 $t0 header.json 's/"cc":\["je-lille"\]/"cc":["parquet-lille"]/'
edited 'the sender among the recipients' forme ase-59 $t0 header.json 's/"cc":\["je-lille"\]/"cc":["ase-59"]/'
edited 'nobody to act' forme ase-59 $t0 header.json 's/"to":\["parquet-lille"\]/"to":[]/'
edited 'an unknown notice' forme ase-59 $t0 header.json 's/demonstration/rien/'
again
printf '\000' >>"$DIR/header.json"
sign ase-59 $t0 "$DIR/header.json"
close_up
fails 'a NUL after the header' 'nul'
again
rm "$DIR/body.pgp"
make_list
fails 'body gone without a purge' 'body.pgp'

# --- Signatures and certificates -------------------------------------------------------------------

again
gpg --batch --no-options --dearmor <"$DIR/header.json.asc" >"$TOP/one" 2>/dev/null
cat "$TOP/one" "$TOP/one" | gpg --batch --no-options --enarmor 2>/dev/null | sed 's/ARMORED FILE/SIGNATURE/; /^Comment/d' >"$DIR/header.json.asc"
make_list
fails 'two signatures in one block' 'une seule'
again
cat "$DIR/header.json.asc" "$DIR/header.json.asc" >"$TOP/x" && cp "$TOP/x" "$DIR/header.json.asc"
make_list
fails 'two blocks' 'après la signature'
again
{ echo 'Bonjour'; cat "$DIR/header.json.asc"; } >"$TOP/x" && cp "$TOP/x" "$DIR/header.json.asc"
make_list
fails 'text before the block' 'signature seule'
again
sed '1a\
Comment: x' "$DIR/header.json.asc" >"$TOP/x" && cp "$TOP/x" "$DIR/header.json.asc"
make_list
fails 'an armor header' 'signature seule'
again
pgp $t0 --local-user "$(fpr ase-59)" --sign --armor --no-emit-version --no-comments --output "$TOP/x" "$DIR/header.json"
sed 's/PGP MESSAGE/PGP SIGNATURE/' "$TOP/x" >"$DIR/header.json.asc"
printf 'x' >>"$DIR/header.json"
make_list
fails 'a signed message instead of a detached signature' ''
again
HASH=SHA1
sign ase-59 $t0 "$DIR/header.json"
HASH=
make_list
fails 'SHA-1' ''
again
pgp $t0 --local-user "$(fpr ase-59)" --textmode --armor --no-emit-version --no-comments --output "$DIR/header.json.asc" --detach-sign "$DIR/header.json"
make_list
fails 'a text signature' 'genre'
again
pgp $t0 --local-user "$(fpr ase-59)" --default-sig-expire 1d --ask-cert-level --armor --no-emit-version --no-comments --output "$DIR/header.json.asc" --detach-sign "$DIR/header.json"
make_list
fails 'a signature that ends' ''
c=$(cd "$DIR" && echo certs/ase-59-*)
again
cat "$DIR"/certs/je-lille-* >>"$DIR/$c"
make_list
fails 'two certificates in one file' 'certs/'
again
gpg --batch --no-options --pinentry-mode loopback --passphrase '' --export-secret-keys "$(fpr ase-59)" >"$DIR/$c" 2>/dev/null
make_list
fails 'a secret key in certs/' 'certs/'
again
cp "$DIR/$c" "$DIR/certs/autre-$(fpr ase-59).pgp"
make_list
fails 'a certificate twice' 'certs/'
again
mv "$DIR/$c" "$DIR/certs/ase-59-$(fpr je-lille).pgp"
make_list
fails 'a certificate under another fingerprint' 'certs/'
again
rm "$DIR/$c"
make_list
fails 'a certificate missing' 'header.json'

# altered_cert TIME ARG…: the certificate of ase-59 changed by gpg, in the export.
altered_cert() {
	again
	gnupg_save=$GNUPGHOME
	cp -R "$GNUPGHOME" "$TOP/later" && rm -f "$TOP"/later/S.*
	at=$(clock "$1")
	shift
	GNUPGHOME=$TOP/later
	"$@" >/dev/null 2>&1
	gpg --quiet --batch --no-options --faked-system-time '20270101T000000!' --export-options export-minimal --export "$(fpr ase-59)" >"$DIR/$c" 2>/dev/null
	gpgconf --homedir "$TOP/later" --kill all
	rm -rf "$TOP/later"
	GNUPGHOME=$gnupg_save
	make_list
}
expire() {
	gpg --batch --no-options --pinentry-mode loopback --passphrase '' --faked-system-time "$at!" --quick-set-expire "$(fpr ase-59)" "$1"
}
# revoke REASON: 0 none, 1 compromised, 2 superseded, 3 no longer used.
revoke() {
	printf 'y\n%s\n\ny\n' "$1" | gpg --no-options --no-tty --status-fd 2 --command-fd 0 --pinentry-mode loopback --passphrase '' \
		--faked-system-time "$at!" --yes --output "$TOP/revocation" --gen-revoke "$(fpr ase-59)"
	gpg --batch --no-options --import "$TOP/revocation"
	rm -f "$TOP/revocation"
}
altered_cert 2026-11-03T00:00:00.000Z expire 2026-11-21
passes 'key expired after the signature' "$DIR" 'Note : header.json : la clé .*péri'
altered_cert 2026-11-03T00:00:00.000Z expire 2026-11-19
fails 'key expired before the signature' 'périmée'
for reason in 2 3; do
	altered_cert 2026-11-21T00:00:00.000Z revoke $reason
	passes "key retired ($reason) after the signature" "$DIR" 'Note : header.json : la clé .*retirée'
	altered_cert 2026-11-10T00:00:00.000Z revoke $reason
	fails "key retired ($reason) before the signature" 'retirée'
done
for reason in 0 1; do
	altered_cert 2026-11-21T00:00:00.000Z revoke $reason
	fails "key revoked ($reason)" 'révoquée'
done

# --- open/ -----------------------------------------------------------------------------------------

again
make_open
passes 'open/ made again' "$DIR" 'open/ :'
# Every byte that may follow another in UTF-8, and every escape: some shells keep
# a few of these bytes for themselves.
again
bytes=
for hi in 2 3; do for mid in 0 1 2 3 4 5 6 7; do for lo in 0 1 2 3 4 5 6 7; do
	bytes="$bytes$(printf '\30'$hi'\2'$mid$lo)"
done; done; done
rm -r "$WORK"/acts/05-*
rm "$DIR"/evidence/05-*
DONE=2026-11-20T22:50:00.000Z
HEAD_SIZE=52 HEAD_ROOT=$(word 'peer head 52')
act 05 taken_in_charge parquet-lille 2026-11-20T22:52:11.006Z \
	'"actor":{"name":"'"$bytes"'","function":""},"basis":"authenticated","reason":"\\ \" \b\t\n\f\r\u0000\u001f * ? [a] $(id) `id` ~ \\u0041","place":"'"$(printf '\177')"'"'
DONE=
close_up
make_open
passes 'every byte and every escape in a detail' "$DIR" 'open/ :'
# passkey ORIGIN [CHALLENGE]: the last act bound to a passkey; the challenge is its
# detail's digest unless another is given. The signature itself is not real.
base64url() { base64_crlf "$1" | tr -d '\r\n=' | tr +/ -_; }
passkey() {
	again
	rm -r "$WORK"/acts/05-* "$DIR"/evidence/05-*
	DONE=2026-11-20T22:50:00.000Z HEAD_SIZE=52 HEAD_ROOT=$(word 'peer head 52')
	act 05 taken_in_charge parquet-lille 2026-11-20T22:52:11.006Z '"actor":{"name":"Alix SPÉCIMEN","function":""},"basis":"passkey"'
	DONE=
	a5=05-taken_in_charge-parquet-lille
	digest "$act_work/detail.json" | xxd -r -p >"$TOP/x"
	printf '{"type":"webauthn.get","challenge":"%s","origin":"%s"}' "${2:-$(base64url "$TOP/x")}" "$1" >"$TOP/client"
	printf '{"credential_id":"rX0n","public_key":"MFkw","authenticator_data":"SZYN","client_data_json":"%s","signature":"MEUC"}' \
		"$(base64url "$TOP/client")" >"$act_work/assertion.json"
	entity "$act_work" evidence.json:application/json evidence.json.asc:application/pgp-signature detail.json:application/json \
		assertion.json:application/json >"$act_work/entity"
	seal parquet-lille 2026-11-20T22:52:11.006Z "$act_work/entity" "$DIR/evidence/$a5.detail.pgp" parquet-lille ase-59
	close_up
	make_open
	cp "$act_work/assertion.json" "$DIR/open/evidence/$a5/"
}
for o in https://a.invalid https://ab.invalid https://abc.invalid; do
	passkey $o
	passes "a passkey at $o" "$DIR" 'WebAuthn'
done
rm "$DIR/open/evidence/$a5/assertion.json"
fails 'a passkey whose assertion is missing' 'absent'
passkey https://a.invalid "$(word x | cut -c 1-43)"
fails 'a passkey that signed another challenge' 'autre chose'
again
make_open
printf 'x' >>"$DIR/open/parts/piece-01.pdf"
(cd "$DIR/open/parts" && sha256sum document.txt inner.json document.json piece-01.pdf acte.json >SHA256SUMS)
fails 'another PDF and its SHA256SUMS' 'contenu que'
again
make_open
d4=$DIR/open/evidence/04-opened-parquet-lille
sed 's/SPÉCIMEN/AUTRE/' "$d4/detail.json" | tr -d '\n' >"$TOP/x" && cp "$TOP/x" "$d4/detail.json"
fails 'another person in a detail' 'détail que la preuve'
again
make_open
cp "$DIR/open/session-key.txt" "$d4/session-key.txt"
fails 'a session key of another' 'clé de session'
again
make_open
tr A-F a-f <"$DIR/open/session-key.txt" >"$TOP/x" && cp "$TOP/x" "$DIR/open/session-key.txt"
fails 'a session key in lower case' ''
again
make_open
rm -r "$d4"
fails 'a sealed act not opened' 'absent'
# The body sealed by another than the sender, or with another order of parts, or
# another inner header: header, deposit and evidences then follow it.
# remade NAME PATTERN: everything signed again over DIR/body.pgp.
remade() {
	make_header $t0 "$(digest "$WORK/parts/SHA256SUMS")"
	make_deposit
	make_evidences
	close_up
	make_open
	fails "$1" "$2"
}
again
seal je-lille $t0 "$WORK/message.eml" "$DIR/body.pgp" parquet-lille je-lille ase-59
remade 'a body signed by another' 'autre clé'
again
seal ase-59 2026-11-20T20:00:00.000Z "$WORK/message.eml" "$DIR/body.pgp" parquet-lille je-lille ase-59
remade 'a body signed hours before' 'heure'
again
pgp $t0 --recipient "$(fpr parquet-lille)" --recipient "$(fpr ase-59)" --output "$DIR/body.pgp" --set-filename '' --encrypt <"$WORK/message.eml"
remade 'a body without signature' 'signature'
again
pgp $t0 --local-user "$(fpr ase-59)" --local-user "$(fpr je-lille)" --recipient "$(fpr parquet-lille)" --recipient "$(fpr ase-59)" --output "$DIR/body.pgp" --set-filename '' --sign --encrypt <"$WORK/message.eml"
remade 'a body with two signatures' 'signature'
again
pgp $t0 --local-user "$(fpr ase-59)" --recipient "$(fpr parquet-lille)" --recipient "$(fpr ase-59)" --output "$DIR/body.pgp" --set-filename 'dossier.eml' --sign --encrypt <"$WORK/message.eml"
remade 'a body with a file name' 'forme'
# body NAME PATTERN: WORK/parts sealed again, in the usual order.
body() {
	entity "$WORK/parts" 'document.txt:text/plain; charset=utf-8' inner.json:application/json document.json:application/json \
		piece-01.pdf:application/pdf acte.json:application/json 'SHA256SUMS:text/plain; charset=us-ascii' >"$WORK/message.eml"
	seal ase-59 $t0 "$WORK/message.eml" "$DIR/body.pgp" parquet-lille je-lille ase-59
	remade "$1" "$2"
}
# parts FILE SED: a part edited, and SHA256SUMS made again.
parts() {
	again
	sed "$2" "$WORK/parts/$1" | tr -d '\n' >"$TOP/x"
	cmp -s "$TOP/x" "$WORK/parts/$1" && die "nothing edited: $2"
	cp "$TOP/x" "$WORK/parts/$1"
	(cd "$WORK/parts" && sha256sum document.txt inner.json document.json piece-01.pdf acte.json >SHA256SUMS)
}
parts inner.json 's/"urgency":"U0"/"urgency":"U2"/'
body 'an inner header that differs' 'inner.json'
parts inner.json 's/"cc":\["je-lille"\]/"cc":[]/'
body 'an inner header with other recipients' 'inner.json'
parts acte.json 's/"document_sha256":"[0-9a-f]*"/"document_sha256":"'"$(word d)"'"/'
body 'an act of another document' 'acte.json'
parts acte.json 's/"pieces_sha256":\["[0-9a-f]*"\]/"pieces_sha256":[]/'
body 'an act without the piece' 'acte.json'
parts acte.json 's/"basis":"declared"/"basis":"passkey"/'
body 'a passkey without assertion' 'acte.json'
again
sed "1s/^[0-9a-f]*/$(word sum)/" "$WORK/parts/SHA256SUMS" >"$TOP/x" && cp "$TOP/x" "$WORK/parts/SHA256SUMS"
body 'a digest list that lies' 'SHA256SUMS'
again
sed '/piece-01/d' "$WORK/parts/SHA256SUMS" >"$TOP/x" && cp "$TOP/x" "$WORK/parts/SHA256SUMS"
body 'a digest list that leaves a piece out' ''

# --- The end -----------------------------------------------------------------------------------------

printf '%d right, %d wrong\n' "$good" "$bad"
[ "$bad" -eq 0 ]
