#!/bin/sh
# verifier.sh : vérifie un export de Vaguemestre, sans Vaguemestre, sans réseau
# et sans aucune clé secrète. Il faut un sh POSIX, gpg (2.2 ou plus), sha256sum
# et xxd.
#
#   sh verifier.sh [DOSSIER] PARTIE@FOYER=EMPREINTE… COURRIER=EMPREINTE…
#
# DOSSIER est celui de ce script si l'on n'en donne pas. Les autres arguments
# sont les ancres : à qui est chaque clé, d'après une feuille imprimée ou une
# autre source que l'export. Une partie (ase-59) a son foyer, le courrier qui
# tient sa clé ; un courrier n'en a pas. On répète une ligne par clé si l'une a
# été remplacée. Les certificats et l'annuaire de l'export ne font foi de rien :
# ils ne servent qu'à faire les calculs.
#
# Ce qui est vérifié, dans l'ordre, en s'arrêtant à la première faute :
#   1. la liste : chaque fichier y est une fois, intact, et rien d'autre ;
#   2. l'en-tête, signé par l'expéditeur, et l'empreinte du corps chiffré ;
#   3. le dépôt, signé par le courrier de l'expéditeur, à la même heure ;
#   4. chaque preuve, signée par celui qui seul peut la donner ;
#   5. l'inscription de chacune au journal du courrier qui exporte ;
#   6. s'il y a un dossier open/ : que les clés de session ouvrent bien le corps
#      et les actes, et que tout ce qu'il contient en sort.
#
# Code de retour : 0 tout est vérifié, 3 une faute (la première est dite) ou
# aucune ancre, 2 mauvais emploi.

set -u -f
LC_ALL=C
LANGUAGE=C
export LC_ALL LANGUAGE
unset CDPATH GNUPGHOME POSIXLY_CORRECT
IFS=' 	
'
umask 077

NL='
'
CR=$(printf '\r')
CONTROLES=$(printf '\001-\037')
TOLERANCE=300 # secondes entre une signature et l'heure qu'elle atteste
TRAVAIL=
ANCRES=' '    # « nom=CLE » et « nom@foyer=CLE », entre espaces
NOTES=
BILAN=

# --- Parler et finir -----------------------------------------------------------

# faute TEXTE : la première faute arrête tout.
faute() {
	printf 'ÉCHEC : %s\n' "$1" >&2
	exit 3
}

# emploi : rappelle les arguments.
emploi() {
	printf 'Emploi : sh verifier.sh [DOSSIER] PARTIE@FOYER=EMPREINTE… COURRIER=EMPREINTE…\n' >&2
	[ $# -eq 0 ] || printf '%s\n' "$1" >&2
	exit 2
}

# note TEXTE : ce qui n'est pas une faute mais doit être su.
note() { NOTES="${NOTES}Note : $1$NL"; }

# menage : rien ne reste de la vérification.
menage() { [ -z "$TRAVAIL" ] || rm -rf "$TRAVAIL"; }

# atelier : un dossier à nous, vide, que personne d'autre ne lit.
atelier() {
	atelier_base=${TMPDIR:-/tmp}
	atelier_n=0
	until mkdir -m 700 "$atelier_base/verifier.$$.$atelier_n" 2>/dev/null; do
		atelier_n=$((atelier_n + 1))
		[ $atelier_n -lt 100 ] || faute "impossible de créer un dossier temporaire"
	done
	TRAVAIL=$(cd "$atelier_base/verifier.$$.$atelier_n" && pwd -P)
	trap menage EXIT
	trap 'exit 3' HUP INT TERM
	mkdir -m 700 "$TRAVAIL/gpg" || faute "impossible de créer un trousseau temporaire"
}

# --- Formes des valeurs ----------------------------------------------------------

# secondes INSTANT : met dans $s les secondes depuis 1970 (jours civils, en UTC).
secondes() {
	case $1 in
	[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z) ;;
	*) return 1 ;;
	esac
	s=${1%.*}
	a=1${s%%-*}    s=${s#*-}
	m=1${s%%-*}    s=${s#*-}
	j=1${s%%T*}    s=${s#*T}
	h=1${s%%:*}    s=${s#*:}
	mn=1${s%%:*}   s=1${s#*:}
	a=$((a - 10000)) m=$((m - 100)) j=$((j - 100)) h=$((h - 100)) mn=$((mn - 100)) s=$((s - 100))
	case $m in
	1 | 3 | 5 | 7 | 8 | 10 | 12) fin_mois=31 ;;
	4 | 6 | 9 | 11) fin_mois=30 ;;
	2) fin_mois=$((28 + (a % 4 == 0 && a % 100 != 0 || a % 400 == 0))) ;;
	*) return 1 ;;
	esac
	[ $j -ge 1 ] && [ $j -le $fin_mois ] && [ $h -le 23 ] && [ $a -ge 1970 ] || return 1
	# L'année commence en mars : le jour qui s'ajoute est alors le dernier.
	if [ $m -le 2 ]; then
		a=$((a - 1)) m=$((m + 9))
	else
		m=$((m - 3))
	fi
	s=$(((a * 365 + a / 4 - a / 100 + a / 400 + (153 * m + 2) / 5 + j - 1 - 719468) * 86400 + h * 3600 + mn * 60 + s))
}

# hexa LONGUEUR TEXTE : des chiffres hexadécimaux en minuscules.
hexa() {
	[ ${#2} -eq "$1" ] || return 1
	case $2 in *[!0-9a-f]*) return 1 ;; esac
}

# nom_valide TEXTE : le nom d'une partie ou d'un courrier.
nom_valide() {
	case $1 in
	'' | -* | *- | *[!0-9a-z-]* | all) return 1 ;;
	esac
	[ ${#1} -le 40 ]
}

# forme GENRE TEXTE : la valeur a-t-elle la forme de son genre ?
forme() {
	case $1 in
	empreinte) hexa 64 "$2" ;;
	nom) nom_valide "$2" ;;
	nom_ou_vide) [ -z "$2" ] || nom_valide "$2" ;;
	instant) secondes "$2" ;;
	id) # UUIDv7 (RFC 9562)
		case $2 in
		*[!0-9a-f-]* | *-*-*-*-*-*) return 1 ;;
		????????-????-7???-[89ab]???-????????????) ;;
		*) return 1 ;;
		esac
		;;
	code) case $2 in '' | [!a-z]* | *[!a-z_]*) return 1 ;; esac ;;
	schema) case $2 in [a-z]*/[1-9]*) case $2 in *[!a-z0-9_/]*) return 1 ;; esac ;; *) return 1 ;; esac ;;
	urgence) case $2 in U0 | U1 | U2) ;; *) return 1 ;; esac ;;
	base) case $2 in declared | authenticated | passkey) ;; *) return 1 ;; esac ;;
	avis) case $2 in demonstration | hebergement_commun) ;; *) return 1 ;; esac ;;
	origine) nom_valide "${2%%/*}" && [ "${2#*/}" = "log/${2##*/}" ] && hexa 32 "${2##*/}" ;;
	b64url) case $2 in '' | *[!A-Za-z0-9_-]*) return 1 ;; esac ;;
	*) return 1 ;;
	esac
}

# --- Lire le JSON signé ------------------------------------------------------------
# Il n'a qu'une écriture possible : on le lit de gauche à droite, en exigeant
# chaque membre à sa place, sans un octet de plus. Rien d'autre n'est accepté.

# charge FICHIER : son texte dans $reste. Les octets nuls ont été exclus avant.
charge() {
	lu=$1
	[ -f "$lu" ] || faute "$lu : absent"
	reste=
	if IFS= read -r reste <"$lu"; then mal_forme; fi
}

mal_forme() { faute "$lu : ce n'est pas la forme attendue"; }

# prend TEXTE : ce texte est là, on passe après.
prend() {
	case $reste in
	"$1"*) reste=${reste#"$1"} ;;
	*) mal_forme ;;
	esac
}

# suit TEXTE : ce texte est-il là ?
suit() { case $reste in "$1"*) ;; *) return 1 ;; esac; }

# chaine GENRE : une chaîne ASCII sans échappement, dans $v.
chaine() {
	prend '"'
	v=${reste%%\"*}
	case $v in *[!\ -~]* | *\\*) mal_forme ;; esac
	reste=${reste#"$v"}
	prend '"'
	forme "$1" "$v" || mal_forme
}

# membre NOM GENRE : « ,"NOM":"…" », dans $v.
membre() {
	prend ",\"$1\":"
	chaine "$2"
}

# membre_ou_rien NOM GENRE : le même s'il y est, sinon $v est vide.
membre_ou_rien() {
	v=
	! suit ",\"$1\":" || membre "$1" "$2"
}

# nombre : un entier sans signe ni zéro inutile, dans $v.
nombre() {
	v=${reste%%[!0-9]*}
	case $v in '' | 0?*) mal_forme ;; esac
	[ ${#v} -le 15 ] || mal_forme
	reste=${reste#"$v"}
}

# liste GENRE : « ["…","…"] », dans $l, entre espaces.
liste() {
	l=
	prend '['
	if suit ']'; then
		prend ']'
		return
	fi
	while :; do
		chaine "$1"
		l="$l $v"
		suit , || break
		prend ,
	done
	prend ']'
}

# texte : une chaîne UTF-8 où seuls le guillemet, la barre et les contrôles sont
# échappés, dans $v telle qu'elle est écrite.
texte() {
	v=
	prend '"'
	until suit '"'; do
		t=${reste%%[\"\\]*}
		reste=${reste#"$t"}
		case $reste in
		\"*) ;;
		\\[\"\\btnfr]*) t=$t${reste%"${reste#??}"} reste=${reste#??} ;;
		\\u000[89acd]*) mal_forme ;;
		\\u00[01][0-9a-f]*) t=$t${reste%"${reste#??????}"} reste=${reste#??????} ;;
		*) mal_forme ;;
		esac
		case $t in *[$CONTROLES]*) mal_forme ;; esac
		v=$v$t
	done
	prend '"'
}

# texte_ou_rien NOM : « ,"NOM":"…" », non vide, s'il y est.
texte_ou_rien() {
	v=
	suit ",\"$1\":" || return 0
	prend ",\"$1\":"
	texte
	[ -n "$v" ] || mal_forme
}

# acteur : « ,"actor":{…},"basis":"…" ».
acteur() {
	prend ',"actor":{"name":'
	texte
	[ -n "$v" ] || mal_forme
	prend ',"function":'
	texte
	prend '}'
	membre basis base
}

# fin_objet : l'accolade, et rien après.
fin_objet() {
	prend '}'
	[ -z "$reste" ] || mal_forme
}

# --- Fichiers et empreintes ----------------------------------------------------------

# empreinte FICHIER : met dans $e l'empreinte d'un fichier de la liste, déjà
# calculée.
empreinte() {
	case $TOUS in
	*"  $1$NL"*) ;;
	*) faute "$1 : absent" ;;
	esac
	e=${TOUS%%"  $1$NL"*}
	e=${e##*"$NL"}
}

# present FICHIER : est-il dans la liste ?
present() { case $TOUS in *"  $1$NL"*) ;; *) return 1 ;; esac; }

# attendu FICHIER : il doit être là ; ce qui reste à la fin est de trop.
attendu() {
	present "$1" || faute "$1 : absent"
	ATTENDUS="$ATTENDUS$1$NL"
}

# premier_ecart : nomme le premier fichier où les deux listes diffèrent.
premier_ecart() {
	faute "export.sha256 : ne correspond pas aux fichiers ($(diff "$TRAVAIL/liste" export.sha256 |
		sed -n 's/^[<>] [0-9a-f]\{64\}  //p' | sed 1q | tr -cd '[:alnum:]._/-'))"
}

# recense : refait export.sha256 d'après les fichiers et le compare.
recense() {
	[ -z "$(find . ! -type f ! -type d -print | sed 1q)" ] || faute "il y a autre chose que des fichiers et des dossiers"
	[ -z "$(find . -name '*[!A-Za-z0-9._-]*' -print | sed 1q)" ] || faute "un nom de fichier est anormal"
	for f in export.sha256 export.sha256.asc header.json proof.json verifier.sh; do
		[ -f "$f" ] || faute "$f : absent"
	done
	find . -type f ! -path './open/*' ! -path ./export.sha256 ! -path ./export.sha256.asc |
		sed 's,^\./,,' | sort | xargs sha256sum -- >"$TRAVAIL/liste" || faute "un fichier est illisible"
	cmp -s "$TRAVAIL/liste" export.sha256 || premier_ecart
	TOUS=$NL$(cat export.sha256)$NL
	ATTENDUS=$NL
	nuls=$(find . -type f \( -name '*.json' -o -name '*.txt' -o -name '*.asc' \) -exec cat {} + | tr -cd '\000' | wc -c)
	[ $((nuls)) -eq 0 ] || faute "un fichier de texte contient un octet nul"
}

# rien_de_trop : tout fichier de la liste a été attendu, donc vérifié.
rien_de_trop() {
	while IFS= read -r ligne; do
		f=${ligne#*  }
		case $ATTENDUS in *"$NL$f$NL"*) ;; *) faute "$f : fichier inattendu" ;; esac
	done <export.sha256
}

# --- Signatures ------------------------------------------------------------------------

# gpg_seul ARGUMENT… : gpg avec un trousseau neuf, sans réglage, agent ni réseau.
gpg_seul() {
	gpg --homedir "$TRAVAIL/gpg" --no-options --batch --no-tty --quiet --no-autostart --disable-dirmngr \
		--trust-model always --no-auto-check-trustdb "$@" </dev/null 2>/dev/null
}

# certificats : met les certificats de l'export au trousseau, un par fichier,
# sans rien en croire. Leurs empreintes dans $CERTS, leurs fins dans $FINS.
certificats() {
	set --
	while IFS= read -r ligne; do
		f=${ligne#*  }
		case $f in
		certs/later/*) note "un certificat a été révoqué ou changé depuis : voir $f" ;;
		certs/*) set -- "$@" "$f" ;;
		*) continue ;;
		esac
		c=${f##*-}
		t=${f##*/}
		case ${f%/*}:$c in
		certs:*.pgp | certs/later:*.pgp) hexa 40 "${c%.pgp}" && nom_valide "${t%-*}" ;;
		*) false ;;
		esac || faute "$f : nom anormal"
		attendu "$f"
	done <export.sha256
	[ $# -gt 0 ] || faute "certs/ : aucun certificat"
	noms=$(printf '%s\n' "$@" | sed 's/.*-\(.*\)\.pgp$/\1/' | tr a-f A-F)
	# IMPORT_OK 1 : une clé publique nouvelle, et rien d'autre ; un code de retour
	# nul et le 10e nombre d'IMPORT_RES, nul aussi : aucune clé secrète.
	statut=$(gpg_seul --status-fd 1 --import "$@") || statut=
	trouves=$(printf '%s\n' "$statut" | sed -n 's/^\[GNUPG:\] IMPORT_OK //p; s/^\[GNUPG:\] IMPORT_RES \([0-9]*\( [0-9]*\)\{8\}\) 0 .*/fin/p')
	[ "$trouves" = "$(printf '%s\n' "$noms" | sed 's/^/1 /')${NL}fin" ] ||
		faute "certs/ : un fichier n'est pas le seul certificat public que dit son nom"
	FINS=' '
	CERTS=
	while IFS=: read -r genre _ _ _ _ _ fin _ _ cle _; do
		case $genre in
		pub | sub) dernier=${fin:-0} ;;
		fpr) FINS="$FINS$cle=$dernier " ;;
		esac
	done <<FIN
$(gpg_seul --with-colons --fixed-list-mode --fingerprint --fingerprint --list-keys)
FIN
	for f; do CERTS="$CERTS${f#certs/}$NL"; done
}

# armure FICHIER : un seul bloc de signature, sans commentaire, rien autour.
armure() {
	[ -f "$1" ] || faute "$1 : absent"
	rang=0
	while IFS= read -r ligne || { [ -z "$ligne" ] || faute "$1 : la dernière ligne n'est pas finie"; false; }; do
		rang=$((rang + 1))
		[ $rang -le 1000 ] || faute "$1 : il y a des lignes après la signature"
		case $rang:$ligne in
		'1:-----BEGIN PGP SIGNATURE-----' | 2:) ;;
		1:* | 2:*) faute "$1 : ce n'est pas une signature seule" ;;
		*:'-----END PGP SIGNATURE-----') rang=1000 ;;
		*) case $ligne in '' | *[!A-Za-z0-9+/=]*) faute "$1 : ce n'est pas une signature seule" ;; esac ;;
		esac
	done <"$1"
	[ $rang -eq 1000 ] || faute "$1 : signature coupée"
}

# lit_statut OBJET TEXTE : ce que gpg a établi. Une signature, une seule, d'une
# clé certaine, qui ne périme pas : son certificat dans $cle, sa date dans
# $signe. $clairs compte les textes trouvés, $clair est la forme du dernier.
lit_statut() {
	objet=$1 cle= signe= nees=0 valides=0 clairs=0 clair= etat=
	while IFS= read -r ligne; do
		case $ligne in
		'[GNUPG:] NEWSIG'*) nees=$((nees + 1)) ;;
		'[GNUPG:] GOODSIG '*) etat=${etat}bonne ;;
		'[GNUPG:] EXPKEYSIG '*) etat=${etat}perimee ;;
		'[GNUPG:] REVKEYSIG '*) etat=${etat}revoquee ;;
		'[GNUPG:] BADSIG '* | '[GNUPG:] ERRSIG '* | '[GNUPG:] EXPSIG '*) etat=${etat}mauvaise ;;
		'[GNUPG:] PLAINTEXT '*) clairs=$((clairs + 1)) clair=${ligne#*PLAINTEXT } ;;
		'[GNUPG:] VALIDSIG '*)
			valides=$((valides + 1))
			# shellcheck disable=SC2086 # découpage voulu ; set -f est en vigueur
			set -- $ligne
			[ $# -eq 12 ] || faute "$objet : gpg n'a pas répondu comme attendu"
			signataire=$3 signe=$5 perime=$6 hachage=${10} classe=${11} cle=${12}
			;;
		esac
	done <<FIN
$2
FIN
	[ $nees -eq 1 ] && [ $valides -eq 1 ] || faute "$objet : il faut une signature valable, et une seule"
	case $signe$perime in *[!0-9]*) faute "$objet : date de signature anormale" ;; esac
	[ "$perime$classe" = 000 ] || faute "$objet : ce genre de signature n'est pas admis"
	case $hachage in 8 | 9 | 10) ;; *) faute "$objet : signature trop faible" ;; esac
	case $etat in
	bonne) ;;
	perimee) pas_encore_perimee ;;
	revoquee) retiree_plus_tard ;;
	*) faute "$objet : signature fausse, ou d'une clé inconnue" ;;
	esac
}

# pas_encore_perimee : la clé a péri, mais après la signature.
pas_encore_perimee() {
	for k in "$signataire" "$cle"; do
		fin=${FINS#*" $k="}
		fin=${fin%% *}
		case $fin in '' | *[!0-9]*) faute "$objet : fin de clé inconnue" ;; esac
		[ "$fin" -eq 0 ] || [ "$signe" -lt "$fin" ] || faute "$objet : signé avec une clé déjà périmée"
	done
	note "$objet : la clé du signataire a péri depuis"
}

# retiree_plus_tard : la clé est révoquée ; on ne l'admet que remplacée (01) ou
# retirée (03), et après la signature.
retiree_plus_tard() {
	revocations=0
	while IFS=: read -r genre _ _ _ _ date _ _ _ _ classe _; do
		case $genre:$classe in
		rev:20x,01* | rev:20x,03* | rev:28x,01* | rev:28x,03*) ;;
		rev:20* | rev:28*) faute "$objet : signé avec une clé révoquée sans réserve" ;;
		*) continue ;;
		esac
		case $date in '' | *[!0-9]*) faute "$objet : date de révocation inconnue" ;; esac
		[ "$signe" -lt "$date" ] || faute "$objet : signé avec une clé déjà retirée"
		revocations=$((revocations + 1))
	done <<FIN
$(gpg_seul --with-colons --fixed-list-mode --list-sigs "$cle")
FIN
	[ $revocations -gt 0 ] || faute "$objet : motif de révocation inconnu"
	note "$objet : la clé du signataire a été retirée depuis"
}

# signature FICHIER : vérifie FICHIER.asc, met $cle et $signe.
signature() {
	armure "$1.asc"
	statut=$(gpg_seul --status-fd 1 --verify "$1.asc" "$1") || statut="$statut${NL}[GNUPG:] ERRSIG "
	lit_statut "$1" "$statut"
	[ $clairs -eq 0 ] || faute "$1.asc : ce n'est pas une signature détachée"
	SIGNATURES=$((SIGNATURES + 1))
}

# a_l_heure OBJET ATTENDUE : la signature est-elle de cette heure ?
a_l_heure() {
	ecart=$((signe - $2))
	{ [ $ecart -le $TOLERANCE ] && [ $ecart -ge -$TOLERANCE ]; } || faute "$1 : la date de la signature n'est pas l'heure dite"
}

# --- Ancres ----------------------------------------------------------------------------

# ajoute_ancre TEXTE : une ancre donnée en argument.
ajoute_ancre() {
	a_qui=${1%%=*}
	a_cle=$(printf '%s' "${1#*=}" | tr a-f A-F)
	{ [ ${#a_cle} -eq 40 ] && case $a_cle in *[!0-9A-F]*) false ;; esac; } ||
		emploi "Une empreinte a 40 chiffres hexadécimaux, sans espace."
	case $a_qui in
	*@*) nom_valide "${a_qui%%@*}" && nom_valide "${a_qui#*@}" ;;
	*) nom_valide "$a_qui" ;;
	esac || emploi "Une ancre s'écrit PARTIE@FOYER=EMPREINTE ou COURRIER=EMPREINTE."
	case $ANCRES in
	*" $a_qui=$a_cle "*) return ;;
	*"=$a_cle "*) emploi "Une même empreinte est donnée à deux noms." ;;
	esac
	ANCRES="$ANCRES$a_qui=$a_cle "
}

# est_partie NOM FOYER CLE, est_courrier NOM CLE : est-ce bien sa clé ?
est_partie() { case $ANCRES in *" $1@$2=$3 "*) ;; *) return 1 ;; esac; }
est_courrier() { case $ANCRES in *" $1=$2 "*) ;; *) return 1 ;; esac; }

# est_de NOM CLE : est-ce une clé de cette partie, quel que soit son foyer ?
est_de() {
	for t in $ANCRES; do
		case $t in "$1@"*"=$2") return 0 ;; esac
	done
	return 1
}

# est_foyer COURRIER PARTIE… : ce courrier tient-il, d'après les ancres, la clé
# de l'une de ces parties ?
est_foyer() {
	foyer=$1
	shift
	for p; do
		case $ANCRES in *" $p@$foyer="*) return 0 ;; esac
	done
	return 1
}

# --- 2. L'en-tête -----------------------------------------------------------------------

# lit_entete : les membres de header.json, dans H_….
lit_entete() {
	charge header.json
	prend '{"v":1'
	lit_commun
	H_commun=$COMMUN
	membre content_sha256 empreinte; H_contenu=$v
	membre body_sha256 empreinte; H_corps=$v
	prend ',"body_size":'
	nombre; H_taille=$v
	fin_objet
	destinataires_valides
}

# lit_commun : les membres communs à header.json et inner.json, dans H_… ; leur
# texte dans $COMMUN.
lit_commun() {
	COMMUN=$reste
	membre_ou_rien notice avis; H_avis=$v
	membre id id; H_id=$v
	membre from nom; H_de=$v
	prend ',"to":'
	liste nom; H_a=$l
	prend ',"cc":'
	liste nom; H_copie=$l
	membre urgency urgence; H_urgence=$v
	membre sent_at instant
	COMMUN=${COMMUN%"$reste"}
}

# destinataires_valides : un au moins, quinze au plus, triés, sans doublon.
destinataires_valides() {
	# shellcheck disable=SC2086
	set -- $H_a
	[ $# -ge 1 ] || mal_forme
	printf '%s\n' "$@" | sort -c -u 2>/dev/null || mal_forme
	# shellcheck disable=SC2086
	set -- $H_copie
	[ $# -le 1 ] || printf '%s\n' "$@" | sort -c -u 2>/dev/null || mal_forme
	# shellcheck disable=SC2086
	set -- $H_a $H_copie
	[ $# -le 15 ] || mal_forme
	vus=" $H_de "
	for p; do
		case $vus in *" $p "*) mal_forme ;; esac
		vus="$vus$p "
	done
}

# premiere_ligne : ce que tout lecteur doit savoir d'abord.
premiere_ligne() {
	case $H_avis in
	demonstration) echo "DÉMONSTRATION : données fictives, sans aucune valeur." ;;
	hebergement_commun) echo "HÉBERGEMENT COMMUN : un même opérateur tient les clés de plusieurs institutions." ;;
	*) echo "Vérification d'un export de Vaguemestre." ;;
	esac
}

# entete : sa signature est de l'expéditeur, le corps est celui qu'il a signé.
entete() {
	signature header.json
	H_cle=$cle H_signe=$signe
	est_de "$H_de" "$H_cle" || faute "header.json : signé par une clé qui n'est pas une ancre de $H_de"
	empreinte header.json
	H_empreinte=$e
	present body.pgp || return 0
	attendu body.pgp
	empreinte body.pgp
	[ "$e" = "$H_corps" ] || faute "body.pgp : ce n'est pas le corps que l'en-tête désigne"
	taille=$(wc -c <body.pgp)
	[ $((taille)) -eq "$H_taille" ] || faute "body.pgp : la taille n'est pas celle de l'en-tête"
}

# --- 3 et 4. Le dépôt et les preuves ----------------------------------------------------

# regle ÉVÉNEMENT : ce que la convention en dit. $qui signe ; $pour : tous, un
# (destinataire) ou les_deux ; $scelle : acte d'une personne, détail scellé ;
# $motif et $date : obligatoires ou non.
regle() {
	pour=un scelle=non motif=non date=non
	case $1 in
	accepted) qui=expediteur pour=tous ;;
	rejected) qui=expediteur pour=tous motif=oui ;;
	relayed) qui=courrier ;;
	relay_failed) qui=courrier motif=oui ;;
	consigned) qui=partie ;;
	consign_failed | quarantined) qui=partie_ou_foyer motif=oui ;;
	alerted) qui=foyer ;;
	alert_failed) qui=foyer motif=oui ;;
	overdue) qui=expediteur ;;
	purged) qui=foyer_de_l_un pour=les_deux ;;
	fetched | opened | taken_in_charge) qui=partie scelle=oui ;;
	registered | executed) qui=partie scelle=oui date=oui ;;
	not_executed | returned | redirected) qui=partie scelle=oui motif=oui ;;
	*) return 1 ;;
	esac
}

# lit_preuve FICHIER : ses membres, dans P_….
lit_preuve() {
	charge "$1"
	prend '{"v":1'
	membre event code; P_quoi=$v
	membre id id; P_id=$v
	membre recipient nom_ou_vide; P_pour=$v
	membre at instant; P_le=$v P_s=$s
	membre_ou_rien done_at instant; P_fait=$v
	membre by nom; P_par=$v
	membre home nom; P_chez=$v
	membre_ou_rien notice avis; P_avis=$v
	membre_ou_rien reason_code code; P_motif=$v
	membre header_sha256 empreinte; P_entete=$v
	membre_ou_rien detail_sha256 empreinte; P_detail=$v
	prend ',"prev":'
	liste empreinte; P_avant=$l
	prend ',"log":{"broker":'
	chaine nom
	[ "$v" = "$P_chez" ] || mal_forme
	membre origin origine; P_origine=$v
	[ "${v%%/*}" = "$P_chez" ] || mal_forme
	prend ',"size":'
	nombre; P_tete=$v
	[ "$v" -ge 1 ] || mal_forme
	membre root empreinte
	prend '}'
	fin_objet
}

# meme_pli FICHIER : la preuve est de ce pli, et dite comme sa règle le veut.
meme_pli() {
	[ "$P_id" = "$H_id" ] || faute "$1 : d'un autre pli"
	[ "$P_entete" = "$H_empreinte" ] || faute "$1 : d'un autre en-tête"
	regle "$P_quoi" || faute "$1 : événement inconnu"
	case $pour:$P_pour in
	tous: | les_deux:) ;;
	tous:* | un:) faute "$1 : destinataire contraire à l'événement" ;;
	*) case " $H_a $H_copie " in *" $P_pour "*) ;; *) faute "$1 : $P_pour n'est pas destinataire" ;; esac ;;
	esac
	present_si "$scelle" "$P_detail" "$1" detail_sha256
	present_si "$motif" "$P_motif" "$1" reason_code
	[ "$date" = non ] || [ -n "$P_fait" ] || faute "$1 : done_at manque"
	[ "$scelle" = oui ] || [ -z "$P_fait" ] || faute "$1 : done_at est de trop"
	case $FAITS in *" $P_quoi/$P_pour/$P_par "*) faute "$1 : la même preuve est donnée deux fois" ;; esac
	FAITS="$FAITS$P_quoi/$P_pour/$P_par "
	[ -z "$P_avis" ] || [ "$P_avis" = "$H_avis" ] || note "$1 porte l'avis « $P_avis »"
}

# present_si OUI_OU_NON VALEUR FICHIER MEMBRE
present_si() {
	case $1:$2 in
	oui:) faute "$3 : $4 manque" ;;
	non:?*) faute "$3 : $4 est de trop" ;;
	esac
}

# depot : le courrier de l'expéditeur a reçu cet en-tête, à l'heure où il fut signé.
depot() {
	FAITS=' '
	lit_preuve deposit.json
	meme_pli deposit.json
	[ "$P_quoi" = accepted ] && [ -z "$P_avant" ] && [ "$P_par" = "$P_chez" ] || mal_forme
	D_par=$P_par D_s=$P_s D_le=$P_le
	est_partie "$H_de" "$D_par" "$H_cle" || faute "deposit.json : $D_par n'est pas le foyer ancré de $H_de"
	signature deposit.json
	est_courrier "$D_par" "$cle" || faute "deposit.json : signé par une clé qui n'est pas une ancre de $D_par"
	a_l_heure deposit.json "$D_s"
	signe=$H_signe
	a_l_heure header.json "$D_s"
	empreinte deposit.json
	PREUVES=" $e "
	pour_journal 01 "$P_quoi" "$e"
	AVANT=
}

# bon_signataire FICHIER : seul celui que la règle nomme peut signer.
bon_signataire() {
	# Une partie signe là où est sa clé ; un courrier chez lui.
	if [ "$P_par" = "$P_chez" ]; then
		est_courrier "$P_par" "$cle"
	else
		est_partie "$P_par" "$P_chez" "$cle"
	fi || faute "$1 : signé par une clé qui n'est pas une ancre de $P_par"
	case $qui in
	expediteur) [ "$P_par" = "$D_par" ] ;;
	courrier) [ "$P_par" = "$P_chez" ] ;;
	partie) [ "$P_par" = "$P_pour" ] ;;
	foyer) [ "$P_par" = "$P_chez" ] && est_foyer "$P_par" "$P_pour" ;;
	partie_ou_foyer) [ "$P_par" = "$P_pour" ] || { [ "$P_par" = "$P_chez" ] && est_foyer "$P_par" "$P_pour"; } ;;
	foyer_de_l_un)
		# shellcheck disable=SC2086
		[ "$P_par" = "$P_chez" ] && { [ "$P_par" = "$D_par" ] || est_foyer "$P_par" ${P_pour:-$H_a $H_copie}; }
		;;
	*) false ;;
	esac || faute "$1 : $P_par ne peut pas attester cela"
}

# preuve NN NOM : evidence/NOM.json et ce qui va avec.
preuve() {
	f=evidence/$2.json
	attendu "$f"
	attendu "$f.asc"
	lit_preuve "$f"
	[ "$2" = "$1-$P_quoi-${P_pour:-all}" ] || faute "$f : le nom du fichier ne dit pas ce qu'il contient"
	meme_pli "$f"
	[ "$P_quoi" != overdue ] || case " $H_a " in *" $P_pour "*) ;; *) faute "$f : une copie n'appelle pas de réponse" ;; esac
	signature "$f"
	bon_signataire "$f"
	a_l_heure "$f" "$P_s"
	[ "$P_s" -ge $((D_s - TOLERANCE)) ] || faute "$f : antérieur au dépôt"
	empreinte "$f"
	PREUVES="$PREUVES$e "
	AVANT="$AVANT $P_avant"
	pour_journal "$1" "$P_quoi" "$e"
	sceau "$f" "evidence/$2.detail.pgp" "$2"
	[ "$P_quoi" != purged ] || PURGES="$PURGES$P_par "
	BILAN="$BILAN  $1 $P_quoi${P_pour:+ $P_pour}, le $P_le${P_fait:+, fait le $P_fait}${P_motif:+, motif $P_motif}, signé $P_par$NL"
}

# sceau FICHIER DÉTAIL NOM : l'acte scellé est là, ou il a été effacé.
sceau() {
	if [ -z "$P_detail" ]; then
		! present "$2" || faute "$2 : fichier inattendu"
	elif present "$2"; then
		attendu "$2"
		SCELLES="$SCELLES$3 $P_quoi $P_pour $cle $P_s $P_detail ${P_fait:--} ${P_motif:--}$NL"
	else
		note "$2 a été effacé : ce que la personne a dit n'est plus vérifiable"
	fi
}

# preuves : toutes, dans l'ordre de leurs numéros, sans trou.
preuves() {
	SCELLES= PURGES=' ' n=2
	while :; do
		nn=$n
		[ $n -gt 9 ] || nn=0$n
		case $TOUS in *"  evidence/$nn-"*) ;; *) break ;; esac
		nom=${TOUS#*"  evidence/$nn-"}
		nom=$nn-${nom%%"$NL"*}
		nom=${nom%.asc}
		nom=${nom%.json}
		preuve "$nn" "${nom%.detail.pgp}"
		n=$((n + 1))
	done
	NOMBRE=$n
	for p in $AVANT; do
		case $PREUVES in *" $p "*) ;; *) note "une preuve antérieure, ${p%"${p#????????}"}…, est citée mais n'est pas dans l'export" ;; esac
	done
	if ! present body.pgp; then
		case $PURGES in *" $J_courrier "*) note "body.pgp a été effacé, comme l'atteste une preuve" ;; *) faute "body.pgp : absent" ;; esac
	fi
}

# --- 5. Le journal ------------------------------------------------------------------------

# pour_journal NN TYPE EMPREINTE : ce que la feuille NN devra dire. Ne vaut que
# juste après lit_preuve.
pour_journal() {
	A_INSCRIRE="$A_INSCRIRE$1 $2 $3 $P_s $P_origine $P_tete$NL"
}

# lit_journal : proof.json et checkpoint.txt, dans J_….
lit_journal() {
	charge proof.json
	prend '{"v":1'
	membre broker nom; J_courrier=$v
	membre origin origine; J_origine=$v
	[ "${v%%/*}" = "$J_courrier" ] || mal_forme
	prend ',"size":'
	nombre; J_taille=$v
	membre root empreinte; J_racine=$v
	prend ',"leaves":['
	J_feuilles= J_nombre=0
	until suit ']'; do
		[ $J_nombre -eq 0 ] || prend ,
		prend '{"leaf":'
		chaine empreinte; t=$v
		prend ',"n":'
		nombre; t="$t $v"
		prend ',"path":'
		liste empreinte
		prend '}'
		J_feuilles="$J_feuilles$t$l$NL"
		J_nombre=$((J_nombre + 1))
	done
	prend ']'
	fin_objet
}

# base64_de HEXA : met dans $b le base64 de 32 octets donnés en hexadécimal.
base64_de() {
	b= t=${1}00
	while [ -n "$t" ]; do
		x=${t%"${t#??????}"}
		t=${t#??????}
		x=$((0x$x))
		for c in $((x >> 18)) $((x >> 12 & 63)) $((x >> 6 & 63)) $((x & 63)); do
			set -- A B C D E F G H I J K L M N O P Q R S T U V W X Y Z \
				a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9 + /
			shift "$c"
			b=$b$1
		done
	done
	b=${b%A}=
}

# point_de_controle : le courrier qui exporte signe la racine de son journal, et
# la liste des fichiers.
point_de_controle() {
	base64_de "$J_racine"
	printf '%s\n%s\n%s\n' "$J_origine" "$J_taille" "$b" | cmp -s - checkpoint.txt ||
		faute "checkpoint.txt : ne dit pas la même chose que proof.json"
	signature checkpoint.txt
	est_courrier "$J_courrier" "$cle" || faute "checkpoint.txt : signé par une clé qui n'est pas une ancre de $J_courrier"
}

# liste_signee : export.sha256 est signé par le même courrier.
liste_signee() {
	signature export.sha256
	est_courrier "$J_courrier" "$cle" || faute "export.sha256 : signé par une clé qui n'est pas une ancre de $J_courrier"
}

# feuille NN TYPE EMPREINTE SECONDES ORIGINE TÊTE HACHAGE N CHEMIN… : leaf/NN.json
# dit bien ce fait, et la racine du journal le contient.
feuille() {
	f=leaf/$1.json
	attendu "$f"
	charge "$f"
	prend "{\"v\":1,\"n\":$8,\"at\":"
	chaine instant
	[ "$4" -le $((s + TOLERANCE)) ] || faute "$f : inscrit avant d'avoir été signé"
	prend ",\"type\":\"$2\",\"nonce\":"
	chaine empreinte
	prend ",\"id\":\"$H_id\",\"digest\":\"$3\"}"
	[ -z "$reste" ] || mal_forme
	hache=$({ printf '\000' && cat "$f"; } | sha256sum)
	[ "${hache%% *}" = "$7" ] || faute "$f : ce n'est pas la feuille de proof.json"
	case $NUMEROS in *" $8 "*) faute "proof.json : deux fois la même feuille" ;; esac
	[ "$1" = 00 ] || [ "$1" = 01 ] || [ "$8" -gt "$DERNIERE" ] || faute "proof.json : les preuves ne sont pas dans l'ordre du journal"
	[ "$1" = 00 ] || [ "$1" = 01 ] || DERNIERE=$8
	NUMEROS="$NUMEROS$8 "
	# Une preuve qui cite ce même journal ne peut y être inscrite avant ce qu'elle cite.
	[ "$5" != "$J_origine" ] || [ "$6" -le "$8" ] || faute "$f : la preuve cite un journal plus long que lui"
	shift 6
	inclusion "$@"
}

# inclusion HACHAGE N CHEMIN… : RFC 9162, 2.1.3.2. Un nœud déjà rattaché à la
# racine par le même chemin n'est pas recalculé.
inclusion() {
	r=$1 fn=$2 sn=$((J_taille - 1))
	shift 2
	[ "$fn" -le $sn ] || faute "proof.json : feuille hors du journal"
	passes=
	while [ $# -gt 0 ]; do
		point="$NL$fn/$sn/$r $*$NL"
		case $RATTACHES in *"$point"*) RATTACHES="$RATTACHES$passes"; return ;; esac
		passes="$passes$point"
		[ $sn -gt 0 ] || faute "proof.json : chemin trop long"
		if [ $((fn & 1)) -eq 1 ] || [ "$fn" -eq $sn ]; then
			r=$(printf '01%s%s' "$1" "$r" | xxd -r -p | sha256sum)
			while [ $((fn & 1)) -eq 0 ] && [ "$fn" -ne 0 ]; do
				fn=$((fn >> 1)) sn=$((sn >> 1))
			done
		else
			r=$(printf '01%s%s' "$r" "$1" | xxd -r -p | sha256sum)
		fi
		r=${r%% *}
		fn=$((fn >> 1)) sn=$((sn >> 1))
		shift
	done
	[ $sn -eq 0 ] && [ "$r" = "$J_racine" ] || faute "proof.json : une feuille n'est pas sous la racine du journal"
	RATTACHES="$RATTACHES$passes"
}

# journal : chaque fait a sa feuille, chaque feuille est sous la racine signée.
journal() {
	[ $J_nombre -eq "$NOMBRE" ] || faute "proof.json : il n'y a pas une feuille par fait"
	NUMEROS=' ' DERNIERE=-1 RATTACHES= lignes=$J_feuilles
	while IFS= read -r ligne; do
		# shellcheck disable=SC2086
		feuille $ligne ${lignes%%"$NL"*}
		lignes=${lignes#*"$NL"}
	done <<FIN
${A_INSCRIRE%"$NL"}
FIN
}

# --- 6. Le dossier open/ --------------------------------------------------------------------

# ouvert FICHIER : un fichier de open/, que rien d'autre ne liste.
ouvert() {
	[ -f "open/$1" ] || faute "open/$1 : absent"
	OUVERTS="$OUVERTS$1$NL"
}

# dechiffre FICHIER DOSSIER : ouvre FICHIER avec la clé de session de DOSSIER, met
# le clair dans $TRAVAIL/clair, et $cle, $signe.
dechiffre() {
	lu=open/$2session-key.txt
	ouvert "$2session-key.txt"
	k=
	IFS= read -r k <"$lu" || mal_forme
	[ ${#k} -eq 66 ] && case $k in 9:*[!0-9A-F]* | [!9]*) false ;; 9:*) ;; *) false ;; esac || mal_forme
	printf '%s\n' "$k" | cmp -s - "$lu" || mal_forme
	rm -f "$TRAVAIL/clair"
	statut=$(gpg_seul --status-fd 1 --override-session-key "$k" --output "$TRAVAIL/clair" --decrypt "$1") ||
		faute "$1 : la clé de session ne l'ouvre pas, ou sa signature est fausse"
	lit_statut "$1" "$statut"
	case $statut in *'[GNUPG:] DECRYPTION_OKAY'*'[GNUPG:] GOODMDC'* | *'[GNUPG:] GOODMDC'*'[GNUPG:] DECRYPTION_OKAY'*) ;; *) faute "$1 : altéré" ;; esac
	# Un seul texte, binaire (62 est « b »), daté, sans nom de fichier.
	case $clairs:$clair in
	'1:62 '[0-9]*) case ${clair#62 } in *[!0-9]*[!\ ]* | *' '?*) faute "$1 : contenu d'une autre forme" ;; esac ;;
	*) faute "$1 : contenu d'une autre forme" ;;
	esac
}

# entite NOM:TYPE:FICHIER… : refait l'entité MIME, qui n'a qu'une écriture.
entite() {
	printf 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_vaguemestre_1"\r\n\r\n'
	for morceau; do
		nom=${morceau%%:*}
		morceau=${morceau#*:}
		printf -- '--=_vaguemestre_1\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename="%s"\r\n' "${morceau%%:*}" "$nom"
		printf 'Content-Transfer-Encoding: base64\r\n\r\n'
		{
			gpg --homedir "$TRAVAIL/gpg" --no-options --batch --no-tty --quiet --enarmor <"${morceau#*:}" 2>/dev/null |
				sed '1,/^$/d; /^=/d; /^-----END/d' | tr -d '\n'
			echo
		} | fold -w 76 | sed "s/\$/$CR/"
	done
	printf -- '--=_vaguemestre_1--\r\n'
}

# corps_ouvert : body.pgp donne message.eml, signé de l'expéditeur ; ses parties
# sont celles de parts/, et SHA256SUMS est le contenu que l'en-tête désigne.
corps_ouvert() {
	dechiffre body.pgp ''
	[ "$cle" = "$H_cle" ] || faute "body.pgp : signé par une autre clé que l'en-tête"
	a_l_heure body.pgp "$D_s"
	ouvert message.eml
	cmp -s "$TRAVAIL/clair" open/message.eml || faute "open/message.eml : ce n'est pas ce que body.pgp contient"
	ouvert parts/SHA256SUMS
	e=$(sha256sum <open/parts/SHA256SUMS)
	[ "${e%% *}" = "$H_contenu" ] || faute "open/parts/SHA256SUMS : ce n'est pas le contenu que l'en-tête désigne"
	parties_ouvertes
	# shellcheck disable=SC2086
	(cd open/parts && sha256sum -- $PARTIES) | cmp -s - open/parts/SHA256SUMS || faute "open/parts : une partie ne répond pas à SHA256SUMS"
	IFS=$NL
	# shellcheck disable=SC2086
	set -- $MORCEAUX "SHA256SUMS:text/plain; charset=us-ascii:open/parts/SHA256SUMS"
	IFS=" 	$NL"
	entite "$@" | cmp -s - open/message.eml || faute "open/message.eml : ses parties ne sont pas celles de open/parts"
	lit_inner
	lit_acte
}

# parties_ouvertes : les noms de SHA256SUMS, dans l'ordre convenu. $PARTIES les
# donne ; $MORCEAUX aussi, avec leur type ; $PIECES les empreintes des pièces.
parties_ouvertes() {
	PARTIES= MORCEAUX= PIECES= rang=0 lu=open/parts/SHA256SUMS
	while IFS= read -r ligne; do
		p=${ligne#*  }
		genre=application/json
		case $rang:$p in
		0:document.txt) rang=1 genre='text/plain; charset=utf-8' ;;
		1:inner.json) rang=2 ;;
		2:document.json) rang=3 empreinte_document=${ligne%% *} ;;
		[3-9]:piece-[0-9][0-9].* | [1-9][0-9]:piece-[0-9][0-9].*) piece_ouverte "$p" "${ligne%% *}" ;;
		[3-9]:acte.json | [1-9][0-9]:acte.json) rang=100 empreinte_acte=${ligne%% *} ;;
		100:assertion.json) rang=101 ;;
		*) mal_forme ;;
		esac
		ouvert "parts/$p"
		[ -s "open/parts/$p" ] || mal_forme
		PARTIES="$PARTIES $p"
		MORCEAUX="$MORCEAUX$p:$genre:open/parts/$p$NL"
	done <"$lu"
	[ $rang -ge 100 ] || mal_forme
}

# piece_ouverte NOM EMPREINTE : une pièce, numérotée à la suite ; $genre est son
# type, tel que le message le déclare.
piece_ouverte() {
	nn=$((rang - 2))
	[ $nn -gt 9 ] || nn=0$nn
	case $1 in
	"piece-$nn."*) ;;
	*) mal_forme ;;
	esac
	case ${1#*.} in '' | *[!a-z0-9]*) mal_forme ;; esac
	rang=$((rang + 1))
	genre=$(sed -n "/^Content-Type: /{s/^Content-Type: //;s/$CR\$//;h;d;};/^Content-Disposition: attachment; filename=\"$1\"$CR\$/{g;p;q;}" open/message.eml)
	case $genre in */*) case $genre in *[!\ -~]* | *:*) mal_forme ;; esac ;; *) mal_forme ;; esac
	PIECES="$PIECES $2"
}

# lit_inner : l'en-tête intérieur dit la même chose que l'extérieur.
lit_inner() {
	charge open/parts/inner.json
	prend '{"v":1'
	prend "$H_commun"
	membre kind code; I_genre=$v
	membre schema schema
	[ "${v%%/*}" = "$I_genre" ] || mal_forme
	membre thread id
	membre_ou_rien in_reply_to id
	membre salt empreinte
	fin_objet
}

# lit_acte : l'acte d'envoi est de ce pli, de ce document et de ces pièces.
lit_acte() {
	charge open/parts/acte.json
	prend '{"v":1'
	membre salt empreinte
	prend ",\"id\":\"$H_id\",\"to\":"
	liste nom
	[ "$l" = "$H_a" ] || mal_forme
	prend ',"cc":'
	liste nom
	[ "$l" = "$H_copie" ] || mal_forme
	prend ",\"kind\":\"$I_genre\""
	acteur
	[ "$v" = passkey ] || [ $rang -eq 100 ] || mal_forme
	[ "$v" != passkey ] || [ $rang -eq 101 ] || mal_forme
	membre document_sha256 empreinte
	[ "$v" = "$empreinte_document" ] || mal_forme
	prend ',"pieces_sha256":'
	liste empreinte
	[ "$l" = "$PIECES" ] || mal_forme
	fin_objet
	[ $rang -eq 100 ] || lit_assertion open/parts/assertion.json "$empreinte_acte"
}

# lit_assertion FICHIER EMPREINTE : la clé d'accès a signé ce défi ; sa signature
# même n'est pas refaite ici.
lit_assertion() {
	charge "$1"
	prend '{"credential_id":'
	chaine b64url
	membre public_key b64url
	membre authenticator_data b64url
	membre client_data_json b64url
	defi=$v
	membre signature b64url
	fin_objet
	base64_de "$2"
	b=$(printf '%s' "${b%=}" | tr +/ -_)
	t=$(printf '%s' "$defi" | tr -- -_ +/)
	case $((${#t} % 4)) in 2) t=$t== ;; 3) t=$t= ;; 1) mal_forme ;; esac
	t=$({ printf -- '-----BEGIN PGP ARMORED FILE-----\n\n'; printf '%s\n' "$t" | fold -w 64; printf -- '=AAAA\n-----END PGP ARMORED FILE-----\n'; } |
		gpg --homedir "$TRAVAIL/gpg" --no-options --batch --quiet --dearmor 2>/dev/null | tr -d '\000')
	case $t in *"\"challenge\":\"$b\""*) ;; *) faute "$1 : la clé d'accès a signé autre chose" ;; esac
	note "$1 : la signature de la clé d'accès (WebAuthn) n'est pas refaite ici"
}

# acte_ouvert NOM ÉVÉNEMENT DESTINATAIRE CLE SECONDES EMPREINTE FAIT MOTIF
acte_ouvert() {
	d=evidence/$1
	dechiffre "$d.detail.pgp" "$d/"
	[ "$cle" = "$4" ] || faute "$d.detail.pgp : signé par une autre clé que la preuve"
	a_l_heure "$d.detail.pgp" "$5"
	ouvert "$d/detail.json"
	charge "open/$d/detail.json"
	e=$(sha256sum <"$lu")
	[ "${e%% *}" = "$6" ] || faute "$lu : ce n'est pas le détail que la preuve désigne"
	prend '{"v":1'
	membre salt empreinte
	prend ",\"event\":\"$2\",\"id\":\"$H_id\",\"recipient\":\"$3\",\"header_sha256\":\"$H_empreinte\""
	membre_ou_rien done_at instant
	[ "${v:--}" = "$7" ] || mal_forme
	membre_ou_rien reason_code code
	[ "${v:--}" = "$8" ] || mal_forme
	acteur
	base=$v
	texte_ou_rien number
	[ "$2" != registered ] || [ -n "$v" ] || mal_forme
	texte_ou_rien reason
	texte_ou_rien place
	membre_ou_rien redirected_to nom
	[ "$2" != redirected ] || [ -n "$v" ] || mal_forme
	membre_ou_rien redirected_id id
	[ "$2" != redirected ] || [ -n "$v" ] || mal_forme
	fin_objet
	set -- "$d" "$6" evidence.json:application/json:"$d.json" evidence.json.asc:application/pgp-signature:"$d.json.asc" \
		detail.json:application/json:"open/$d/detail.json"
	if [ "$base" = passkey ]; then
		ouvert "$d/assertion.json"
		lit_assertion "open/$d/assertion.json" "$2"
		set -- "$@" assertion.json:application/json:"open/$d/assertion.json"
	fi
	shift 2
	entite "$@" | cmp -s - "$TRAVAIL/clair" || faute "open/$d : ce n'est pas ce que l'acte scellé contient"
}

# dossier_ouvert : tout ce que open/ contient, et rien d'autre.
dossier_ouvert() {
	OUVERTS=$NL
	! present body.pgp || corps_ouvert
	if [ -n "$SCELLES" ]; then
		while IFS= read -r ligne; do
			# shellcheck disable=SC2086
			acte_ouvert $ligne
		done <<FIN
${SCELLES%"$NL"}
FIN
	fi
	while IFS= read -r f; do
		case $OUVERTS in *"$NL${f#open/}$NL"*) ;; *) faute "$f : fichier inattendu" ;; esac
	done <<FIN
$(find open -type f)
FIN
	BILAN="${BILAN}  open/ : le corps et les actes scellés s'ouvrent, et contiennent ces fichiers$NL"
}

# --- Le tout --------------------------------------------------------------------------------

# sans_ancre : ne prouve rien, mais dit quoi comparer avec la feuille.
sans_ancre() {
	recense
	certificats
	echo "Certificats trouvés dans l'export (NOM-EMPREINTE) :"
	printf '%s' "$CERTS" | sed 's/\.pgp$//; s/^/  /'
	echo "Rien n'est prouvé : donnez les empreintes de la feuille imprimée, par exemple"
	echo "  sh verifier.sh PARTIE@FOYER=EMPREINTE… COURRIER=EMPREINTE…"
	exit 3
}

# bilan : ce qui est maintenant établi.
bilan() {
	echo "Pli $H_id de $H_de à$H_a${H_copie:+, copie à$H_copie}, urgence $H_urgence"
	echo "  01 accepted, le $D_le, signé $D_par"
	printf '%s%s' "$BILAN" "$NOTES"
	echo "Journal : $J_origine, $J_taille lignes"
	echo "VÉRIFIÉ : $SIGNATURES signatures, toutes d'ancres données ; $NOMBRE lignes du journal ; $FICHIERS fichiers."
}

principal() {
	dossier=
	for argument; do
		case $argument in
		-h | --help) emploi ;;
		*=*) ajoute_ancre "$argument" ;;
		*)
			[ -z "$dossier" ] && [ -n "$argument" ] || emploi "Un seul dossier à la fois."
			dossier=$argument
			;;
		esac
	done
	if [ -z "$dossier" ]; then
		dossier=.
		case $0 in */*) dossier=${0%/*}/ ;; esac
	fi
	for outil in gpg sha256sum xxd; do
		command -v $outil >/dev/null 2>&1 || emploi "Il manque $outil sur cette machine."
	done
	atelier
	cd -- "$dossier" 2>/dev/null || emploi "Le dossier ne peut être ouvert."
	SIGNATURES=0 A_INSCRIRE=
	[ -f header.json ] || faute "header.json : absent"
	lit_entete
	premiere_ligne
	[ "$ANCRES" != ' ' ] || sans_ancre
	recense
	lit_entete # relu : recense vient d'exclure les octets nuls
	lit_journal
	for f in header.json header.json.asc deposit.json deposit.json.asc directory.json proof.json \
		checkpoint.txt checkpoint.txt.asc verifier.sh LISEZMOI.txt; do
		attendu "$f"
	done
	certificats
	liste_signee
	entete
	P_s=0 P_origine=- P_tete=0
	pour_journal 00 pli "$H_empreinte"
	depot
	preuves
	point_de_controle
	journal
	rien_de_trop
	[ ! -d open ] || dossier_ouvert
	FICHIERS=$(find . -type f | wc -l)
	FICHIERS=$((FICHIERS))
	bilan
}

principal "$@"
