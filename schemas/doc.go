// Package schemas defines the documents that the ASE, the parquet and the juge
// des enfants exchange, and checks them. It knows the law of the papers and
// nothing of their transport: no key, no clock, no directory.
//
// # A document
//
// A document is one JSON object in UTF-8, document.json of a pli. Its members
// have French ASCII names. Parse reads it once, refuses it with every faulty
// field or gives a *Document; nothing else makes one, and its bytes are kept
// as they came. Neither a Plain nor a Document can be printed, and a Field
// never holds a value of the document: an unknown member is named by its rank
// ("auteur.?3"), since even its name could be personal data.
//
// # Two levels
//
// An erreur refuses: what prevents routing or reading. A réserve does not: it
// is what law or practice wants besides, shown to both sides, for which a
// complement is asked. A child found at night, unidentified, must get through.
// The tag "validate" of a struct holds its erreurs, the tag "reserve" its
// réserves, "doc" the label of the paper form, "article" the text that asks
// for the field; rules.go and reserves.go hold the rules between fields. The
// same tags give JSONSchema and the labels of Text. Two validators read the
// tags; the first one is spared the documents that passes finds without fault.
//
// # Strict reading
//
// Refused, each with its path: text that is not JSON (RFC 8259), over 1 MiB or
// 32 levels, followed by anything; invalid UTF-8 and lone surrogates; NUL,
// escaped or not, and raw control characters; unknown members, members given
// twice or in another case; null, the empty text, values of another type,
// numbers out of range. An absent value is an absent member. The text is read
// in one pass by a decoder of our own: encoding/json forgives most of the
// above and stops at the first wrong type, and reading twice would cost more
// than all the rest.
//
// Codes of these faults: syntaxe, taille, profondeur, donnees_en_trop, utf8,
// nul, controle, null, type, nombre, inconnu, casse, doublon, vide, trop,
// type_pli_inconnu. Codes of a field: obligatoire, valeur (not in the list),
// trop_long, repetition, blanc (neither letter nor digit), format,
// piece_requise, contradiction, dates_inversees, duree, lieu_vide,
// designation, souhaite (a réserve: absent and wanted), reponse_inattendue (a
// réserve: the kind does not answer that of the pli which in_reply_to names).
//
// # Common members
//
// enfants[] (named, or identite_inconnue with age_apparent, sexe and
// lieu_actuel), autorite_parentale[] or parents_inconnus, fratrie[], ecole,
// references{crip, parquet, juge, ase}; auteur{nom, fonction, service,
// telephone}; pieces[] in the order of the parts (titre, type_mime, role,
// pages, communication: communicable or a_ecarter, CPC 1187). Every place has
// the same members, lieu_confidentiel among them (C. civ. 375-7). A day is
// 2026-11-20; an hour is local, with its offset (RFC 3339); an institution is
// a partie of the directory or a libelle, never a nom.
//
// # Glossary
//
// The law keeps its words; they are not translated, because their difference
// is the rule of routing.
//
//	signalement    report of a child in danger to the procureur (CASF L226-4 I)
//	recueil_provisoire
//	               notice of the ASE to the parquet that it took a child in
//	               (CASF L223-2): recueil_provisoire in urgency, without the
//	               agreement of the legal representative (five days), or
//	               accueil_72h of a child who left the family home
//	opp            ordonnance de placement provisoire of the procureur, in
//	               urgency, where the child was found (C. civ. 375-5 al. 2):
//	               ordonnance_jointe (application/pdf) or instruction_orale
//	fin_opp        end of an OPP before the judge rules: mainlevee by the
//	               procureur, defaut_saisine (no judge seized within eight
//	               days, C. civ. 375-5 al. 2), defaut_decision (no ruling within
//	               fifteen days of the reception at the greffe, CPC 1184 al. 3)
//	requete        requête by which the juge des enfants is seized (C. civ. 375)
//	decision       decision of the juge des enfants (CPC 1190)
//	incident       what befell a child confided to the sender (CPC 1199-1)
//	soit_transmis  slip by which the parquet asks the ASE to evaluate or inquire
//	               (CASF L226-3)
//	suites         what the parquet did of a signalement (CASF L226-4 I)
//	transmission   any further paper of a thread; a correction names the pli
//
//	ase            aide sociale à l'enfance, with its CRIP (cellule de recueil
//	               des informations préoccupantes), under the PCD (président du
//	               conseil départemental)
//	parquet        procureur de la République, parquet des mineurs
//	juge           juge des enfants and greffe (registry)
//	service        service or association habilitée (AEMO, MJIE, placement)
//
//	réserve        what is wanted and missing, and does not refuse
//	erreur         what refuses
//	condition      which of the four cases of CASF L226-4 I: actions_sans_effet,
//	               refus_famille, danger_grave_immediat, evaluation_impossible
//	danger         in what the child is in danger (C. civ. 375 al. 1)
//	demande        what is asked of the parquet: opp, saisine_juge,
//	               enquete_penale, autre
//	signataire     who answers for the document, by delegation or not
//	droits         correspondance, visite, hébergement (C. civ. 375-7)
//	placement      the child is confided to someone (C. civ. 375-3)
//	mainlevée      end of a measure before its term
//	AEMO           action éducative en milieu ouvert
//	MJIE           mesure judiciaire d'investigation éducative
//	DVH            droit de visite et d'hébergement
//	qualite        in which quality the judge is written to: ministere_public, or
//	               service_gardien, the service to which a current measure
//	               (mesure_en_cours) confides the child (C. civ. 375 al. 1)
//
// The articles are cited as stored texts gave them (code civil and CASF of
// 2016, CPC of 2018, corrected by later pages): lawyers re-read them before
// use. No text founds an incident as such, nor the copy that the parquet has of
// it, nor the form of a soit-transmis: their routes name the nearest one.
package schemas
