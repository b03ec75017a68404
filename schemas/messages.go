package schemas

import "strings"

// sentence gives the French sentence of a fault: what is wrong, what to write,
// and the article that asks for it. It knows the rule and the field, never the
// value, so that no sentence can carry personal data.
func sentence(p *plan, f fault, reserve bool) string {
	code := f.code
	if reserve && code == codeObligatoire {
		code = codeSouhaite
	}
	path := bare(f.path)
	for _, place := range [...]string{string(p.kind) + ":" + path, path, lastMember(path)} {
		if own, ok := ownSentences[place+":"+code]; ok {
			return own
		}
	}
	m := p.shape.at(f.path)
	text := sentences[code]
	if code == codeFormat && m != nil {
		text = formatSentence(m.rules)
	}
	if code == codeInconnu && f.param != "" {
		text += " Vouliez-vous dire « §param » ?"
	}
	label, article := "Ce champ", ""
	if m != nil {
		label = "« " + m.label + " »"
		if m.article != "" {
			article = " (" + m.article + ")"
		}
	}
	param := f.param
	switch {
	case code == codeValeur:
		param = strings.ReplaceAll(param, " ", ", ")
	case code == codeNombre && m != nil:
		param = " entre " + parameter(m.rules, "min") + " et " + parameter(m.rules, "max")
	}
	return strings.NewReplacer("§champ", label, "§article", article, "§param", param).Replace(text)
}

// bare drops the ranks of a path: "enfants[0].nom" gives "enfants.nom".
func bare(path string) string {
	if strings.IndexByte(path, '[') < 0 {
		return path
	}
	var b strings.Builder
	for part := range strings.SplitSeq(path, "[") {
		if rank, rest, ok := strings.Cut(part, "]"); ok && rank != "" {
			part = rest
		}
		b.WriteString(part)
	}
	return b.String()
}

// lastMember is the last name of a bare path.
func lastMember(path string) string {
	return path[strings.LastIndexByte(path, '.')+1:]
}

func formatSentence(rules string) string {
	for rule := range strings.SplitSeq(rules, ",") {
		if s, ok := formatSentences[rule]; ok {
			return s
		}
	}
	return "§champ n'a pas la forme attendue."
}

var formatSentences = map[string]string{
	"jour":              "§champ doit être une date du calendrier, écrite année-mois-jour (2026-11-20)§article.",
	"jour_approximatif": "§champ doit être une année, un mois ou un jour (2019, 2019-05 ou 2019-05-03)§article.",
	"instant":           "§champ doit être une date et une heure locales avec leur décalage (2026-11-20T22:41:00+01:00)§article.",
	"telephone":         "§champ doit être un numéro de téléphone, par exemple 03 00 00 00 00 ou +33 3 00 00 00 00 poste 12.",
	"identifiant":       "§champ doit être l'identifiant d'un pli, tel qu'il figure sur son récépissé.",
	"partie":            "§champ doit être un identifiant de l'annuaire, par exemple ase-59 ; à défaut, employez « libelle ».",
	"type_mime":         "§champ doit être un type de fichier en minuscules, par exemple application/pdf.",
}

// sentences by code. §champ is the label of the field, §article the text that
// asks for it, §param the limit or the list of the rule.
var sentences = map[string]string{
	codeSyntaxe:       "Le document n'est pas un texte JSON complet et bien formé (RFC 8259) ; vérifiez l'application qui l'a produit.",
	codeTaille:        "Le document dépasse 1 Mio : joignez les écrits longs comme pièces.",
	codeProfondeur:    "Le document a plus de 32 niveaux imbriqués.",
	codeDonneesEnTrop: "Des données suivent la fin du document : envoyez un seul document à la fois.",
	codeUTF8:          "§champ contient des caractères mal codés : le texte doit être en UTF-8.",
	codeNul:           "§champ contient un caractère nul, qui n'est pas admis.",
	codeControle:      "§champ contient un caractère de commande qui n'est pas échappé (RFC 8259).",
	codeNull:          "§champ vaut « null » : omettez le champ quand il n'y a rien à écrire.",
	codeType:          "§champ n'est pas du bon type ; attendu : §param.",
	codeNombre:        "§champ doit être un nombre entier§param.",
	codeInconnu:       "Ce membre n'existe pas à cet endroit du schéma.",
	codeCasse:         "Le nom de ce membre s'écrit exactement « §param ».",
	codeDoublon:       "§champ est donné deux fois : gardez une seule valeur.",
	codeVide:          "§champ est vide : omettez le champ quand il n'y a rien à écrire.",
	codeTrop:          "§champ compte trop d'éléments (§param au plus).",
	codeTypeInconnu:   "Type de pli inconnu : choisissez signalement, recueil_provisoire, opp, fin_opp, requete, decision, incident, soit_transmis, suites ou transmission.",
	codeObligatoire:   "§champ est obligatoire§article.",
	codeValeur:        "§champ doit être choisi dans la liste : §param§article.",
	codeTropLong:      "§champ est trop long (§param caractères au plus) : joignez une pièce.",
	codeRepetition:    "§champ répète la même valeur.",
	codeBlanc:         "§champ ne contient ni lettre ni chiffre : omettez le champ quand il n'y a rien à écrire.",
	codeFormat:        "§champ n'a pas la forme attendue.",
	codePieceRequise:  "§champ : il manque une pièce obligatoire.",
	codeContradiction: "§champ contredit un autre champ du document.",
	codeDates:         "§champ : la fin précède le début ; vérifiez les dates.",
	codeDuree:         "§champ dépasse la durée prévue par les textes§article.",
	codeLieuVide:      "Indiquez ce lieu : une désignation, une rue ou une commune.",
	codeDesignation:   "Désignez cette institution par son identifiant dans l'annuaire (« partie ») ou par son libellé (« libelle »).",
	codeReponse:       "§champ : ce type de pli ne répond pas d'ordinaire à celui qu'il désigne.",
	codeSouhaite:      "§champ : rien n'est écrit§article ; un complément est demandé.",
}

// ownSentences are those that deserve better than the general one, by
// kind:path:code, path:code or member:code, the first that exists.
var ownSentences = map[string]string{
	"signalement:enfants:obligatoire":                      "Désignez au moins un enfant : nom et prénoms, ou identité inconnue avec l'âge apparent, le sexe et le lieu (CASF L226-4 I).",
	"signalement:condition:obligatoire":                    "Indiquez laquelle des quatre conditions de l'article L226-4 du CASF permet d'aviser le parquet.",
	"signalement:condition:contradiction":                  "La condition choisie suppose des actions antérieures, or le document dit qu'il n'y en a eu aucune (CASF L226-4 I 1°).",
	"signalement:faits:obligatoire":                        "Décrivez les faits, ou joignez un rapport (pièce de rôle « rapport ») : le parquet doit savoir ce qui est porté à sa connaissance (CASF L226-4 I).",
	"signalement:demande:obligatoire":                      "Indiquez ce que vous demandez au parquet : OPP, saisine du juge des enfants, enquête pénale ou autre.",
	"signalement:signataire:obligatoire":                   "Indiquez qui signe le signalement, au nom du président du conseil départemental s'il y a délégation (CASF L226-4 I, CGCT L3221-3).",
	"signalement:signataire.delegation:souhaite":           "La délégation de signature n'est pas indiquée (CGCT L3221-3) : un complément est demandé.",
	"signalement:parents_avises:souhaite":                  "Le document ne dit ni quand les parents ont été avisés par écrit, ni pourquoi ils ne l'ont pas été (CASF L226-5 al. 3) : un complément est demandé.",
	"signalement:parents_avises:contradiction":             "Le document donne à la fois la date de l'avis aux parents et le motif de son absence (CASF L226-5 al. 3).",
	"signalement:actions_deja_menees:souhaite":             "Les actions déjà menées auprès du mineur et de sa famille ne sont pas indiquées (CASF L226-4 I) ; s'il n'y en a eu aucune, dites-le.",
	"signalement:actions_deja_menees:dates_inversees":      "Une des actions déjà menées finit avant de commencer : vérifiez les dates.",
	"signalement:aucune_action_anterieure:contradiction":   "Le document dit qu'il n'y a eu aucune action antérieure et en décrit une (CASF L226-4 I).",
	"signalement:appel_permanence:souhaite":                "L'heure d'appel à la permanence du parquet n'est pas indiquée : en urgence, appelez aussi le magistrat de permanence.",
	"opp:pieces:piece_requise":                             "Joignez l'ordonnance signée (pièce de rôle « ordonnance », au format PDF), ou choisissez « instruction_orale » (C. civ. 375-5 al. 2).",
	"opp:mode:obligatoire":                                 "Dites si l'ordonnance est jointe (« ordonnance_jointe ») ou si l'instruction a été donnée oralement (« instruction_orale ») (C. civ. 375-5 al. 2).",
	"opp:mode:contradiction":                               "La forme choisie ne correspond pas au reste du document : une ordonnance est jointe, ou l'instruction est orale (C. civ. 375-5 al. 2).",
	"opp:recueillie_par:obligatoire":                       "Instruction orale : indiquez qui l'a recueillie (C. civ. 375-5 al. 2).",
	"opp:ecrit_attendu_avant:obligatoire":                  "Instruction orale : indiquez avant quand l'ordonnance écrite est attendue (C. civ. 375-5 al. 2).",
	"opp:ecrit_attendu_avant:dates_inversees":              "L'écrit est attendu avant l'heure de l'instruction elle-même : vérifiez les dates.",
	"opp:enfants:obligatoire":                              "Désignez au moins un enfant : nom et prénoms, ou identité inconnue avec l'âge apparent, le sexe et le lieu (C. civ. 375-5 al. 2).",
	"opp:confie_a:obligatoire":                             "Indiquez à qui l'enfant est confié (C. civ. 375-3).",
	"requete:enfants:obligatoire":                          "Désignez au moins un enfant (C. civ. 375 al. 1).",
	"requete:motifs:obligatoire":                           "Écrivez les motifs, ou joignez la requête signée (pièce de rôle « requete ») (C. civ. 375 al. 1).",
	"requete:mesure_precision:obligatoire":                 "Précisez la mesure demandée (C. civ. 375 al. 1).",
	"requete:pieces:souhaite":                              "L'ordonnance de placement provisoire visée n'est pas jointe (C. civ. 375-5 al. 2) : un complément est demandé.",
	"requete:opp:souhaite":                                 "Le maintien du placement est demandé sans que l'OPP soit visée (C. civ. 375-5 al. 2) : un complément est demandé.",
	"decision:pieces:piece_requise":                        "Joignez la décision signée (pièce de rôle « decision », au format PDF) (CPC 1190).",
	"decision:enfants:obligatoire":                         "Désignez au moins un enfant (CPC 1190).",
	"decision:confie_a:obligatoire":                        "Indiquez à qui l'enfant est confié (C. civ. 375-3).",
	"decision:fin:dates_inversees":                         "La fin de la mesure précède son début (C. civ. 375) : vérifiez les dates.",
	"decision:fin:duree":                                   "La durée dépasse ce que les textes prévoient : deux ans (C. civ. 375), six mois pour une mesure provisoire (CPC 1185). Vérifiez les dates.",
	"decision:fin:souhaite":                                "La fin de la mesure n'est indiquée ni par une date ni par un événement (C. civ. 375) : un complément est demandé.",
	"requete:mesure_en_cours:obligatoire":                  "Le service à qui l'enfant est confié indique la mesure en cours, qui lui permet de saisir le juge (C. civ. 375 al. 1).",
	"requete:qualite:obligatoire":                          "L'ASE ou un service saisit le juge comme service à qui l'enfant est confié (« service_gardien »), avec la mesure en cours (C. civ. 375 al. 1) ; sinon, faites un signalement au parquet (CASF L226-4).",
	"requete:qualite:contradiction":                        "Le parquet saisit le juge comme ministère public (C. civ. 375 al. 1).",
	"requete:qualite:souhaite":                             "Le document ne dit pas en quelle qualité le juge est saisi : ministère public, ou service à qui l'enfant est confié (C. civ. 375 al. 1). Un complément est demandé.",
	"requete:opp:contradiction":                            "Après une OPP, c'est le procureur qui saisit le juge (C. civ. 375-5 al. 2) ; le service à qui l'enfant est confié la vise comme mesure en cours.",
	"mesure_en_cours.fin:dates_inversees":                  "La mesure en cours finit avant d'être ordonnée (C. civ. 375) : vérifiez les dates.",
	"recueil_provisoire:enfants:obligatoire":               "Désignez au moins un enfant : nom et prénoms, ou identité inconnue avec l'âge apparent, le sexe et le lieu (CASF L223-2).",
	"recueil_provisoire:accord:obligatoire":                "Dites si l'accord du représentant légal est impossible à recueillir ou refusé (CASF L223-2 al. 2 et 3).",
	"recueil_provisoire:saisine_demandee:souhaite":         "L'accord est refusé : le service saisit alors l'autorité judiciaire en vue de l'article 375-5 du code civil (CASF L223-2 al. 3), ce que le document ne demande pas.",
	"recueil_provisoire:parents_informes:souhaite":         "Le document ne dit ni quand les parents ont été informés, ce qui doit être fait sans délai, ni pourquoi ils ne l'ont pas été (CASF L223-2 al. 5) : un complément est demandé.",
	"recueil_provisoire:parents_informes:contradiction":    "Le document donne à la fois l'heure de l'information des parents et le motif de son absence (CASF L223-2 al. 5).",
	"recueil_provisoire:appel_permanence:souhaite":         "L'heure d'appel à la permanence du parquet n'est pas indiquée : en urgence, appelez aussi le magistrat de permanence.",
	"incident:enfants:obligatoire":                         "Désignez l'enfant : nom et prénoms, ou identité inconnue avec l'âge apparent, le sexe et le lieu (CPC 1199-1).",
	"incident:qualite:obligatoire":                         "Dites en quelle qualité vous écrivez : « service_gardien », le service à qui l'enfant est confié (C. civ. 375 al. 1). Pour un enfant qui ne l'est pas, faites un signalement au parquet (CASF L226-4 I).",
	"incident:qualite:valeur":                              "Un incident vient du service à qui l'enfant est confié : « service_gardien » (C. civ. 375 al. 1). Pour un enfant qui ne l'est pas, faites un signalement au parquet (CASF L226-4 I).",
	"incident:mesure_en_cours:obligatoire":                 "Indiquez la mesure en cours, par laquelle l'enfant vous est confié (C. civ. 375-3) ; sans mesure, faites un signalement au parquet (CASF L226-4 I).",
	"incident:mesure_en_cours.fin:contradiction":           "La mesure était arrivée à son terme avant l'incident (C. civ. 375) : vérifiez les dates, ou faites un signalement au parquet (CASF L226-4 I).",
	"incident:date_heure:contradiction":                    "L'incident précède la mesure qui confie l'enfant (C. civ. 375-3) : vérifiez les dates.",
	"incident:type_precision:obligatoire":                  "Précisez le type d'incident (CPC 1199-1).",
	"incident:dernier_lieu:souhaite":                       "Fugue : le dernier lieu connu n'est pas indiqué ; un complément est demandé.",
	"incident:police_avisee:souhaite":                      "Le document ne dit ni quand la police ou la gendarmerie a été avisée, ni pourquoi elle ne l'a pas été (CPP 40 al. 2 s'il y a infraction) : un complément est demandé.",
	"incident:police_avisee:contradiction":                 "Le document donne à la fois l'heure de l'avis à la police ou à la gendarmerie et le motif de son absence.",
	"soit_transmis:enfants:obligatoire":                    "Dites de qui il s'agit : désignez un enfant, donnez une référence de dossier ou joignez l'écrit qui le désigne (CASF L226-3).",
	"soit_transmis:demande:obligatoire":                    "Indiquez ce que vous demandez à l'ASE : évaluation, enquête sociale, renseignements ou autre (CASF L226-3).",
	"soit_transmis:reponse_attendue_avant:souhaite":        "Aucun délai de réponse n'est indiqué : un complément est demandé.",
	"soit_transmis:reponse_attendue_avant:dates_inversees": "La réponse est attendue avant la date du soit-transmis : vérifiez les dates.",
	"fin_opp:enfants:obligatoire":                          "Désignez au moins un enfant : nom et prénoms, ou identité inconnue avec l'âge apparent, le sexe et le lieu (C. civ. 375-5 al. 2).",
	"fin_opp:mode:obligatoire":                             "Mainlevée : dites si l'ordonnance est jointe (« ordonnance_jointe ») ou si l'instruction a été donnée oralement (« instruction_orale ») (C. civ. 375-5 al. 2).",
	"fin_opp:mode:contradiction":                           "La forme choisie ne correspond pas au reste du document : une ordonnance est jointe, ou l'instruction est orale, et seule une mainlevée en a une (C. civ. 375-5 al. 2).",
	"fin_opp:magistrat:obligatoire":                        "Mainlevée : indiquez le magistrat qui l'a ordonnée (C. civ. 375-5 al. 2).",
	"fin_opp:pieces:piece_requise":                         "Joignez l'ordonnance de mainlevée signée (pièce de rôle « ordonnance », au format PDF), ou choisissez « instruction_orale » (C. civ. 375-5 al. 2).",
	"fin_opp:recueillie_par:obligatoire":                   "Instruction orale : indiquez qui l'a recueillie (C. civ. 375-5 al. 2).",
	"fin_opp:ecrit_attendu_avant:obligatoire":              "Instruction orale : indiquez avant quand l'ordonnance écrite est attendue (C. civ. 375-5 al. 2).",
	"fin_opp:ecrit_attendu_avant:dates_inversees":          "L'écrit est attendu avant l'heure de l'instruction elle-même : vérifiez les dates.",
	"fin_opp:date_heure:dates_inversees":                   "L'OPP finit avant d'être ordonnée (C. civ. 375-5 al. 2) : vérifiez les dates.",
	"fin_opp:requete_recue_le:contradiction":               "Le juge des enfants est saisi : lui seul maintient, modifie ou rapporte la mesure (C. civ. 375-5 al. 2).",
	"fin_opp:requete_recue_le:obligatoire":                 "Indiquez quand la requête a été reçue au greffe : les quinze jours du juge en partent (CPC 1184 al. 3).",
	"fin_opp:requete_recue_le:dates_inversees":             "La requête aurait été reçue au greffe avant l'OPP (C. civ. 375-5 al. 2) : vérifiez les dates.",
	"fin_opp:cause:contradiction":                          "Le délai invoqué n'est pas écoulé : huit jours après l'OPP (C. civ. 375-5 al. 2), ou quinze jours après la réception de la requête au greffe (CPC 1184 al. 3). Vérifiez les dates.",
	"fin_opp:demande_de:souhaite":                          "Faute de décision dans les quinze jours, l'enfant est remis sur demande (CPC 1184 al. 3) : dites de qui vient la demande. Un complément est demandé.",
	"suites:suites:obligatoire":                            "Indiquez au moins une suite (CASF L226-4 I).",
	"suites:suites.motif:obligatoire":                      "Un classement indique son motif (CASF L226-4 I).",
	"suites:suites.parquet:obligatoire":                    "Indiquez à quel parquet le signalement a été transmis (CASF L226-4 I).",
	"transmission:texte:obligatoire":                       "Écrivez un texte ou joignez une pièce.",
	"transmission:complete:contradiction":                  "Un pli corrige ou complète un autre pli, pas les deux : faites deux transmissions.",
	"lieu_actuel:souhaite":                                 "Ni l'adresse de l'enfant ni le lieu où il se trouve ne sont indiqués : un complément est demandé.",
	"enfants.nom:obligatoire":                              "Écrivez le nom de l'enfant, ou dites son identité inconnue avec l'âge apparent, le sexe et le lieu actuel.",
	"enfants.prenoms:obligatoire":                          "Écrivez les prénoms de l'enfant, ou dites son identité inconnue avec l'âge apparent, le sexe et le lieu actuel.",
	"age_apparent:obligatoire":                             "Identité inconnue : écrivez l'âge apparent, même approximatif.",
	"sexe:obligatoire":                                     "Identité inconnue : indiquez le sexe, ou « indetermine ».",
	"lieu_actuel:obligatoire":                              "Identité inconnue : indiquez où se trouve l'enfant.",
	"fonction:souhaite":                                    "La fonction de cette personne n'est pas indiquée : un complément est demandé.",
	"position_parents:souhaite":                            "La position des parents n'est pas indiquée : un complément est demandé.",
	"telephone:obligatoire":                                "Indiquez un numéro de téléphone direct : un pli urgent est toujours doublé d'un appel.",
	"parents_inconnus:contradiction":                       "Le document dit que les parents sont inconnus et en désigne un.",
	"references:souhaite":                                  "Ni enfant ni référence de dossier : un lecteur qui n'a que le papier ne saura pas de qui il s'agit. Un complément est demandé.",
	"date_naissance:souhaite":                              "La date de naissance n'est pas renseignée : donnez-la, même approximative, ou l'âge apparent.",
	"date_naissance_approximative:contradiction":           "Une date de naissance exacte et une date approximative sont données : gardez une seule des deux.",
	"autorite_parentale:souhaite":                          "Les titulaires de l'autorité parentale ne sont pas indiqués ; s'ils sont inconnus, dites-le (CASF L226-5 al. 3).",
	"communication:obligatoire":                            "Dites si cette pièce est communicable aux parties ou à écarter (CPC 1187).",
}
