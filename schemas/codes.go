package schemas

// Stable codes of faults and réserves. Programs match them; they never change
// meaning. The sentences are in messages.go.
const (
	// Of the text itself.
	codeSyntaxe       = "syntaxe"          // not JSON (RFC 8259)
	codeTaille        = "taille"           // more than 1 MiB
	codeProfondeur    = "profondeur"       // more than 32 levels
	codeDonneesEnTrop = "donnees_en_trop"  // something after the document
	codeUTF8          = "utf8"             // invalid UTF-8, lone surrogate
	codeNul           = "nul"              // NUL character
	codeControle      = "controle"         // raw control character
	codeNull          = "null"             // null instead of an absent member
	codeType          = "type"             // text where a list is due, ...
	codeNombre        = "nombre"           // not an integer in range
	codeInconnu       = "inconnu"          // unknown member
	codeCasse         = "casse"            // member in upper case
	codeDoublon       = "doublon"          // member given twice
	codeVide          = "vide"             // empty text
	codeTrop          = "trop"             // too many elements
	codeTypeInconnu   = "type_pli_inconnu" // no such kind

	// Of one field.
	codeObligatoire   = "obligatoire"
	codeValeur        = "valeur"    // not in the list
	codeTropLong      = "trop_long" // too many characters
	codeRepetition    = "repetition"
	codeBlanc         = "blanc"  // no letter, no digit
	codeFormat        = "format" // date, hour, telephone, identifier
	codePieceRequise  = "piece_requise"
	codeContradiction = "contradiction"
	codeDates         = "dates_inversees"
	codeDuree         = "duree"
	codeLieuVide      = "lieu_vide"
	codeDesignation   = "designation"        // institution neither named nor described
	codeReponse       = "reponse_inattendue" // a réserve: no answer to that kind
	codeSouhaite      = "souhaite"           // a réserve: absent, and wanted
)
