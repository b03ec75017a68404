# lib.sh: what make.sh and check.sh share. POSIX sh, gpg, sha256sum, xxd.
# Sourced, never run. Each function takes what it needs from its arguments, from
# DIR (the export being made), KEYS (the folder of secret keys) and the story
# below. Test material only: the keys protect nothing.

# --- The story -------------------------------------------------------------

id=019aa3d4-6b3b-7c21-9f5e-2d4b8a6c1e07
other=019aa3d0-1188-7a90-8c11-0f3e5d7b9a24
thread=019aa3d4-6b00-7e55-b1a2-93c4d5e6f708
from=ase-59
sender_home=courrier-nord
peer_home=courrier-justice-lille
origin=courrier-nord/log/5b1f0c7e9a3d4286b7c8d9e0f1a2b3c4
peer_origin=courrier-justice-lille/log/c0ffee5eed0123456789abcdef987654
owners='ase-59 courrier-justice-lille courrier-nord je-lille parquet-lille'
NL='
'
CR=$(printf '\r')

# --- Small pieces ----------------------------------------------------------

die() { echo "$0: $*" >&2; exit 1; }

# digest FILE: lower-case hex SHA-256.
digest() { d=$(sha256sum <"$1") && printf '%s' "${d%% *}"; }

# word TEXT: 64 hex digits that look random and never change: nonces and salts
# of a test, where real ones are random.
word() { d=$(printf '%s' "vaguemestre wire $1" | sha256sum) && printf '%s' "${d%% *}"; }

# strings A B…: a JSON array of strings.
strings() {
	list=
	for s; do list="$list${list:+,}\"$s\""; done
	printf '[%s]' "$list"
}

# clock TIME: the wire's instant in the form of gpg's --faked-system-time.
clock() { printf '%s' "$1" | sed 's/\..*//; s/[-:]//g'; }

# --- Keys ------------------------------------------------------------------

# keys_load: KEYS/*.asc in a keyring of their own, in HOME_GPG.
keys_load() {
	GNUPGHOME=$HOME_GPG
	export GNUPGHOME
	mkdir -m 700 "$GNUPGHOME" || die "no keyring"
	gpg --quiet --batch --no-options --import "$KEYS"/*.asc 2>/dev/null || die 'keys refused'
	printf '%s\n' "$owners" | tr ' ' "$NL" | while read -r owner; do
		gpg --batch --no-options --with-colons --list-keys "=$owner (cle d'essai publique, sans valeur)" |
			sed -n 's/^fpr:*\([0-9A-F]\{40\}\):$/\1/p' | head -n 1 | tr A-F a-f >"$GNUPGHOME/$owner.fpr"
	done
}

# keys_drop: the keyring and its agent are gone.
keys_drop() {
	[ -d "$HOME_GPG" ] || return 0
	gpgconf --homedir "$HOME_GPG" --kill all 2>/dev/null
	rm -rf "$HOME_GPG"
}

fpr() { cat "$HOME_GPG/$1.fpr"; }

# pgp TIME ARG…: gpg at that time, quiet, with nothing of the caller's set-up.
pgp() {
	pgp_at=$(clock "$1")
	shift
	gpg --quiet --batch --no-tty --no-options --yes --faked-system-time "$pgp_at!" \
		--trust-model always --digest-algo "${HASH:-SHA256}" --pinentry-mode loopback --passphrase '' "$@" 2>"$HOME_GPG/errors" ||
		{ cat "$HOME_GPG/errors" >&2; die "gpg failed"; }
}

# sign OWNER TIME FILE: FILE.asc, one armored block and nothing else.
sign() { pgp "$2" --local-user "$(fpr "$1")" --armor --no-emit-version --no-comments --output "$3.asc" --detach-sign "$3"; }

# seal OWNER TIME FILE OUT RECIPIENT…: signed then encrypted, not compressed.
seal() {
	seal_by=$1 seal_at=$2 seal_in=$3 seal_out=$4
	shift 4
	for s; do
		set -- "$@" --recipient "$(fpr "$s")"
		shift
	done
	pgp "$seal_at" --local-user "$(fpr "$seal_by")" "$@" --cipher-algo AES256 --compress-algo none --set-filename '' \
		--output "$seal_out" --sign --encrypt <"$seal_in"
}

# session_key FILE: what an export --open writes: "9:" and hex, one line.
session_key() {
	gpg --quiet --batch --no-options --status-fd 1 --show-session-key --pinentry-mode loopback --passphrase '' \
		--output /dev/null --decrypt "$1" 2>/dev/null | sed -n 's/^\[GNUPG:\] SESSION_KEY //p'
}

# --- MIME ------------------------------------------------------------------

# base64_crlf FILE: 76 columns, CRLF. gpg writes 64 columns between its lines.
base64_crlf() {
	{
		gpg --batch --no-options --enarmor <"$1" 2>/dev/null | sed '1,/^$/d; /^=/d; /^-----END/d' | tr -d '\n'
		echo
	} | fold -w 76 | sed "s/\$/$CR/"
}

# entity FOLDER NAME:TYPE…: the one form of entity, on standard output.
entity() {
	entity_in=$1
	shift
	printf 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_vaguemestre_1"\r\n\r\n'
	for s; do
		printf -- '--=_vaguemestre_1\r\nContent-Type: %s\r\n' "${s#*:}"
		printf 'Content-Disposition: attachment; filename="%s"\r\n' "${s%%:*}"
		printf 'Content-Transfer-Encoding: base64\r\n\r\n'
		base64_crlf "$entity_in/${s%%:*}"
	done
	printf -- '--=_vaguemestre_1--\r\n'
}

# --- Merkle tree (RFC 6962 section 2.1) --------------------------------------

# node LEFT RIGHT: the hash of two nodes.
node() { d=$(printf '01%s%s' "$1" "$2" | xxd -r -p | sha256sum) && printf '%s' "${d%% *}"; }

# leaf_hash FILE
leaf_hash() { d=$({ printf '\000'; cat "$1"; } | sha256sum) && printf '%s' "${d%% *}"; }

# root HASH…: the root over leaf hashes. The last one of an odd row goes up as
# it is, which gives the same tree as the recursive definition.
root() {
	while [ $# -gt 1 ]; do
		row=
		while [ $# -gt 1 ]; do
			row="$row $(node "$1" "$2")"
			shift 2
		done
		# shellcheck disable=SC2086
		set -- $row "$@"
	done
	printf '%s' "$1"
}

# path N HASH…: the inclusion path of leaf N, from leaf to root, as JSON.
path() {
	path_n=$1 path=
	shift
	while [ $# -gt 1 ]; do
		row= i=0
		while [ $# -gt 0 ]; do
			case $path_n in
			"$i") path="$path ${2-}" ;;
			$((i + 1))) [ $# -gt 1 ] && path="$path $1" ;;
			esac
			if [ $# -gt 1 ]; then
				row="$row $(node "$1" "$2")"
				shift 2
			else
				row="$row $1"
				shift
			fi
			i=$((i + 2))
		done
		path_n=$((path_n / 2))
		# shellcheck disable=SC2086
		set -- $row
	done
	# shellcheck disable=SC2086
	strings $path
}

# --- The parts of the pli --------------------------------------------------

# make_pli TIME: header.json, its signature, body.pgp, and in WORK/parts what
# the body holds.
make_pli() {
	pli_at=$1
	mkdir -p "$WORK/parts"
	cp "$SOURCE/document.txt" "$SOURCE/document.json" "$SOURCE/piece-01.pdf" "$WORK/parts/"
	common=$(printf '{"v":1,"notice":"demonstration","id":"%s","from":"%s","to":["parquet-lille"],"cc":["je-lille"],"urgency":"U0","sent_at":"%s"' \
		"$id" "$from" "$pli_at")
	printf '%s,"kind":"signalement","schema":"signalement/1","thread":"%s","salt":"%s"}' \
		"$common" "$thread" "$(word inner)" >"$WORK/parts/inner.json"
	printf '{"v":1,"salt":"%s","id":"%s","to":["parquet-lille"],"cc":["je-lille"],"kind":"signalement","actor":{"name":"Claude MODÈLE","function":"cadre d'\''astreinte de l'\''ASE"},"basis":"declared","document_sha256":"%s","pieces_sha256":["%s"]}' \
		"$(word acte)" "$id" "$(digest "$WORK/parts/document.json")" "$(digest "$WORK/parts/piece-01.pdf")" >"$WORK/parts/acte.json"
	(cd "$WORK/parts" && sha256sum document.txt inner.json document.json piece-01.pdf acte.json >SHA256SUMS)
	entity "$WORK/parts" 'document.txt:text/plain; charset=utf-8' inner.json:application/json document.json:application/json \
		piece-01.pdf:application/pdf acte.json:application/json 'SHA256SUMS:text/plain; charset=us-ascii' >"$WORK/message.eml"
	seal "$from" "$pli_at" "$WORK/message.eml" "$DIR/body.pgp" parquet-lille je-lille ase-59
	make_header "$pli_at" "$(digest "$WORK/parts/SHA256SUMS")"
}

# make_header TIME CONTENT: header.json and its signature, over body.pgp as it is.
make_header() {
	printf '{"v":1,"notice":"demonstration","id":"%s","from":"%s","to":["parquet-lille"],"cc":["je-lille"],"urgency":"U0","sent_at":"%s","content_sha256":"%s","body_sha256":"%s","body_size":%d}' \
		"$id" "$from" "$1" "$2" "$(digest "$DIR/body.pgp")" "$(wc -c <"$DIR/body.pgp")" >"$DIR/header.json"
	sign "${HEADER_SIGNER:-$from}" "$1" "$DIR/header.json"
}

# --- Evidences -------------------------------------------------------------

# evidence OUT EVENT RECIPIENT TIME BY HOME PREV… writes and signs an evidence.
# From the environment: DONE, REASON, DETAIL (a file), SIGNER (instead of BY),
# HEAD_SIZE and HEAD_ROOT (the durable head of HOME's journal).
evidence() {
	ev_out=$1 ev_event=$2 ev_to=$3 ev_at=$4 ev_by=$5 ev_home=$6
	shift 6
	case $ev_home in
	"$sender_home") ev_origin=$origin ;;
	*) ev_origin=$peer_origin ;;
	esac
	{
		printf '{"v":1,"event":"%s","id":"%s","recipient":"%s","at":"%s"' "$ev_event" "$id" "$ev_to" "$ev_at"
		[ -z "${DONE-}" ] || printf ',"done_at":"%s"' "$DONE"
		printf ',"by":"%s","home":"%s","notice":"demonstration"' "$ev_by" "$ev_home"
		[ -z "${REASON-}" ] || printf ',"reason_code":"%s"' "$REASON"
		printf ',"header_sha256":"%s"' "$(digest "$DIR/header.json")"
		[ -z "${DETAIL-}" ] || printf ',"detail_sha256":"%s"' "$(digest "$DETAIL")"
		printf ',"prev":%s,"log":{"broker":"%s","origin":"%s","size":%d,"root":"%s"}}' \
			"$(strings "$@")" "$ev_home" "$ev_origin" "$HEAD_SIZE" "$HEAD_ROOT"
	} >"$ev_out"
	sign "${SIGNER:-$ev_by}" "$ev_at" "$ev_out"
}

# act NN EVENT RECIPIENT TIME TAIL PREV…: a person's act: detail, evidence, and
# the sealed file. TAIL is the detail's JSON from "actor" on; DONE and REASON as
# in evidence. The opened form stays in WORK/acts/NN-EVENT-RECIPIENT.
act() {
	act_name=$1-$2-$3 act_event=$2 act_to=$3 act_at=$4 act_tail=$5
	shift 5
	act_work=$WORK/acts/$act_name
	mkdir -p "$act_work"
	{
		printf '{"v":1,"salt":"%s","event":"%s","id":"%s","recipient":"%s","header_sha256":"%s"' \
			"$(word "detail $act_name")" "$act_event" "$id" "$act_to" "$(digest "$DIR/header.json")"
		[ -z "${DONE-}" ] || printf ',"done_at":"%s"' "$DONE"
		[ -z "${REASON-}" ] || printf ',"reason_code":"%s"' "$REASON"
		printf ',%s}' "$act_tail"
	} >"$act_work/detail.json"
	DETAIL=$act_work/detail.json
	evidence "$DIR/evidence/$act_name.json" "$act_event" "$act_to" "$act_at" "$act_to" "$peer_home" "$@"
	DETAIL=
	cp "$DIR/evidence/$act_name.json" "$act_work/evidence.json"
	cp "$DIR/evidence/$act_name.json.asc" "$act_work/evidence.json.asc"
	entity "$act_work" evidence.json:application/json evidence.json.asc:application/pgp-signature detail.json:application/json >"$act_work/entity"
	seal "${SIGNER:-$act_to}" "$act_at" "$act_work/entity" "$DIR/evidence/$act_name.detail.pgp" "$act_to" "$from"
}

# --- The journal -----------------------------------------------------------

# leaf N TYPE TIME ID DIGEST: the bytes of a leaf, in WORK/log/N.
leaf() {
	mkdir -p "$WORK/log"
	{
		printf '{"v":1,"n":%d,"at":"%s","type":"%s","nonce":"%s"' "$1" "$3" "$2" "$(word "nonce $1")"
		[ -z "$4" ] || printf ',"id":"%s"' "$4"
		[ -z "$5" ] || printf ',"digest":"%s"' "$5"
		printf '}'
	} >"$WORK/log/$1"
}

# leaves_from N COUNT: the hashes of COUNT leaves of WORK/log.
hashes() {
	i=0
	while [ $i -lt "$1" ]; do
		printf '%s ' "$(leaf_hash "$WORK/log/$i")"
		i=$((i + 1))
	done
}

# make_proof N…: leaf/, proof.json, checkpoint.txt. The i-th N is the leaf in the
# journal of the i-th file of leaf/. SIZE is the size of the journal.
make_proof() {
	rm -rf "$DIR/leaf"
	mkdir "$DIR/leaf"
	all=$(hashes "$SIZE")
	# shellcheck disable=SC2086
	top=$(root $all)
	k=0
	{
		printf '{"v":1,"broker":"%s","origin":"%s","size":%d,"root":"%s","leaves":[' "$sender_home" "$origin" "$SIZE" "$top"
		for n; do
			cp "$WORK/log/$n" "$DIR/leaf/$(printf %02d $k)"
			mv "$DIR/leaf/$(printf %02d $k)" "$DIR/leaf/$(printf %02d $k).json"
			[ $k -eq 0 ] || printf ,
			# shellcheck disable=SC2086
			printf '{"leaf":"%s","n":%d,"path":%s}' "$(leaf_hash "$WORK/log/$n")" "$n" "$(path "$n" $all)"
			k=$((k + 1))
		done
		printf ']}'
	} >"$DIR/proof.json"
	make_checkpoint "$SIZE" "$top"
}

# make_checkpoint SIZE ROOT
make_checkpoint() {
	printf '%s' "$2" | xxd -r -p >"$WORK/root"
	{
		printf '%s\n%d\n' "$origin" "$1"
		base64_crlf "$WORK/root" | tr -d '\r'
	} >"$DIR/checkpoint.txt"
	sign "$sender_home" "$EXPORT_AT" "$DIR/checkpoint.txt"
}

# --- The rest of the export --------------------------------------------------

# make_certs: certs/OWNER-FINGERPRINT.pgp, binary and minimal.
make_certs() {
	mkdir -p "$DIR/certs"
	for owner in $owners; do
		f=$(fpr "$owner")
		gpg --quiet --batch --no-options --export-options export-minimal --export "$f" >"$DIR/certs/$owner-$f.pgp"
	done
}

make_directory() {
	printf '{"v":1,"notice":"demonstration","brokers":[{"id":"%s","libelle":"%s","certificates":["%s"],"address":"https://courrier-justice-lille.invalid:8443"},{"id":"%s","libelle":"%s","certificates":["%s"],"address":"https://courrier-nord.invalid:8443"}],"parties":[' \
		"$peer_home" 'Courrier du tribunal judiciaire de Lille' "$(fpr $peer_home)" \
		"$sender_home" 'Courrier du Département du Nord' "$(fpr $sender_home)" >"$DIR/directory.json"
	{
		party ase-59 ase 'Département du Nord (ASE et CRIP)' "$sender_home"
		printf ,
		party je-lille juge 'Tribunal judiciaire de Lille, juge des enfants (greffe)' "$peer_home"
		printf ,
		party parquet-lille parquet 'Tribunal judiciaire de Lille, parquet des mineurs' "$peer_home"
		printf '],"policy":[%s,%s]}' \
			'{"kind":"signalement","from":"ase","to":"juge","copy":true,"article":"CASF L221-4"}' \
			'{"kind":"signalement","from":"ase","to":"parquet","copy":false,"article":"CASF L226-4 I"}'
	} >>"$DIR/directory.json"
}

# party ID ROLE INSTITUTION HOME
party() {
	printf '{"id":"%s","role":"%s","institution":"%s","departement":"59","home":"%s","certificates":["%s"],"telephone":"03 00 00 00 00"}' \
		"$1" "$2" "$3" "$4" "$(fpr "$1")"
}

# make_list: export.sha256, every file outside open/, bytewise by path; signed.
make_list() {
	(
		cd "$DIR" || exit 1
		rm -f export.sha256 export.sha256.asc
		find . -type f ! -path './open/*' | sed 's,^\./,,' | LC_ALL=C sort | xargs sha256sum -- >"$WORK/list"
		mv "$WORK/list" export.sha256
	)
	sign "${LIST_SIGNER:-$sender_home}" "$EXPORT_AT" "$DIR/export.sha256"
}

# make_open: open/, from what make_pli and act left in WORK.
make_open() {
	mkdir -p "$DIR/open/parts" "$DIR/open/evidence"
	cp "$WORK/message.eml" "$DIR/open/message.eml"
	cp "$WORK"/parts/* "$DIR/open/parts/"
	session_key "$DIR/body.pgp" >"$DIR/open/session-key.txt"
	for a in "$WORK"/acts/*; do
		a=${a##*/}
		mkdir "$DIR/open/evidence/$a"
		cp "$WORK/acts/$a/detail.json" "$DIR/open/evidence/$a/"
		session_key "$DIR/evidence/$a.detail.pgp" >"$DIR/open/evidence/$a/session-key.txt"
	done
}

# --- The whole ---------------------------------------------------------------

EXPORT_AT=2026-11-21T09:15:00.000Z
SIZE=13

# make_log: the journal of the exporting broker, as far as the files of DIR say.
# Its other leaves are those of another pli and of deliveries.
make_log() {
	leaf 3 pli 2026-11-20T22:41:07.123Z "$id" "$(digest "$DIR/header.json")"
	leaf 4 accepted 2026-11-20T22:41:07.123Z "$id" "$(digest "$DIR/deposit.json")"
	leaf 5 delivered 2026-11-20T22:41:07.480Z "$id" ''
	leaf 7 delivered 2026-11-20T22:41:08.102Z "$other" ''
	leaf 10 delivered 2026-11-20T22:47:20.014Z '' ''
	leaf 11 relayed 2026-11-20T22:48:00.000Z "$other" "$(word relayed)"
	for n_file in 6:02-consigned-parquet-lille 8:03-consigned-je-lille 9:04-opened-parquet-lille 12:05-taken_in_charge-parquet-lille; do
		f=${n_file#*:}
		[ -f "$DIR/evidence/$f.json" ] || continue
		event=${f#*-}
		event=${event%%-*}
		at=$(sed 's/.*"at":"\([^"]*\)".*/\1/' "$DIR/evidence/$f.json")
		leaf "${n_file%%:*}" "$event" "$at" "$id" "$(digest "$DIR/evidence/$f.json")"
	done
}

# make_first_leaves: what the journal held before the deposit.
make_first_leaves() {
	leaf 0 log 2026-11-02T08:00:00.000Z '' ''
	leaf 1 pli 2026-11-20T15:02:33.870Z "$other" "$(word header)"
	leaf 2 accepted 2026-11-20T15:02:33.870Z "$other" "$(word deposit)"
}

# make_deposit: the stamp of the sender's broker, over header.json as it is.
make_deposit() {
	HEAD_SIZE=3
	# shellcheck disable=SC2046
	HEAD_ROOT=$(root $(hashes 3))
	evidence "$DIR/deposit.json" accepted '' 2026-11-20T22:41:07.123Z "$sender_home" "$sender_home"
}

# make_evidences: what the recipients signed.
make_evidences() {
	mkdir -p "$DIR/evidence"
	HEAD_SIZE=41 HEAD_ROOT=$(word 'peer head 41')
	evidence "$DIR/evidence/02-consigned-parquet-lille.json" consigned parquet-lille 2026-11-20T22:41:07.911Z \
		parquet-lille "$peer_home" "$(digest "$DIR/deposit.json")"
	HEAD_SIZE=43 HEAD_ROOT=$(word 'peer head 43')
	evidence "$DIR/evidence/03-consigned-je-lille.json" consigned je-lille 2026-11-20T22:41:08.204Z \
		je-lille "$peer_home" "$(digest "$DIR/deposit.json")"
	HEAD_SIZE=47 HEAD_ROOT=$(word 'peer head 47')
	act 04 opened parquet-lille 2026-11-20T22:46:30.520Z \
		'"actor":{"name":"Alix SPÉCIMEN","function":"substitut de permanence"},"basis":"authenticated"' \
		"$(digest "$DIR/evidence/02-consigned-parquet-lille.json")"
	HEAD_SIZE=52 HEAD_ROOT=$(word 'peer head 52')
	DONE=2026-11-20T22:50:00.000Z
	act 05 taken_in_charge parquet-lille 2026-11-20T22:52:11.006Z \
		'"actor":{"name":"Alix SPÉCIMEN","function":"substitut de permanence"},"basis":"authenticated","number":"26/0000/FICTIF","reason":"Appel à l'\''astreinte de l'\''ASE ;\nréquisitions \"à suivre\".","place":"Permanence du parquet, Lille"' \
		"$(digest "$DIR/evidence/04-opened-parquet-lille.json")"
	DONE=
}

# make_export: every file of the export, in DIR, without open/.
make_export() {
	mkdir -p "$DIR"
	make_first_leaves
	make_pli 2026-11-20T22:41:07.051Z
	make_deposit
	make_evidences
	make_log
	make_proof 3 4 6 8 9 12
	make_certs
	make_directory
	cp "$HERE/verifier.sh" "$SOURCE/LISEZMOI.txt" "$DIR/"
	make_list
}
