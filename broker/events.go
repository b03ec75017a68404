package broker

// Event names a fact that somebody signs. The list is closed: the table below
// is the only place that knows the events.
type Event string

// The events, in the order of DESIGN section 5.
const (
	Accepted      Event = "accepted"
	Rejected      Event = "rejected"
	Relayed       Event = "relayed"
	RelayFailed   Event = "relay_failed"
	Consigned     Event = "consigned"
	ConsignFailed Event = "consign_failed"
	Quarantined   Event = "quarantined"
	Alerted       Event = "alerted"
	AlertFailed   Event = "alert_failed"
	Overdue       Event = "overdue"
	Purged        Event = "purged"
	Fetched       Event = "fetched"
	Opened        Event = "opened"
	Registered    Event = "registered"
	TakenInCharge Event = "taken_in_charge"
	Executed      Event = "executed"
	NotExecuted   Event = "not_executed"
	Returned      Event = "returned"
	Redirected    Event = "redirected"
)

// Signer says whose signature makes an evidence of an event valid.
type Signer uint8

// The signers. A party signs through its home broker, which holds its key.
const (
	SenderBroker          Signer = iota + 1 // home of the pli's sender
	RelayOrSenderBroker                     // a declared relay, or the home of the sender
	Recipient                               // the party of the pair
	RecipientOrItsBroker                    // the party; its home where no key of the party is usable
	RecipientBroker                         // home of the party of the pair
	BrokerOfSenderOrParty                   // the home that did it, of the sender or of the party
)

// Flag is a condition of a pair that never hides its progress.
type Flag uint8

// The flags.
const (
	FlagRelayFailed Flag = 1 << iota
	FlagConsignFailed
	FlagQuarantined
	FlagAlerted
	FlagOverdue
	FlagPurged
)

// EventRow is all that the program knows of one event.
type EventRow struct {
	Event   Event
	Signer  Signer
	ForAll  bool     // recipient is "": it holds for all
	Either  bool     // recipient may be "" or a party
	Sealed  bool     // a person's or an application's: travels as evidence.pgp
	Detail  bool     // a detail.json goes with it
	Act     bool     // stops overdue and alarms
	Rank    int      // progress, upwards only; 0 when it makes none
	Closes  bool     // closes the pair
	Sets    Flag     // flag it raises
	Clears  Flag     // flags it lowers
	ToParty bool     // travels to the recipient's home too
	Reasons []string // closed codes; empty when it takes none, mandatory otherwise
	Number  bool     // the detail must hold a number
	Date    bool     // done_at is mandatory
	Label   string   // what people read
	ETSI    string   // name in EN 319 522; x- where it has none
}

// EventTable lists every event, in the order of DESIGN section 5. It is built
// afresh so that nobody can change it.
func EventTable() []EventRow {
	failures := []string{ReasonRevoked, ReasonExpired, ReasonRetired, ReasonBackDated, ReasonDeposit, ReasonNotAddressee,
		ReasonUnreadable, ReasonInnerSignature, ReasonAltered, ReasonHeaderDiffers, ReasonActe, ReasonForbidden, ReasonInvalid, ReasonReplay, ReasonTooLarge, ReasonNoKey}
	return []EventRow{
		{Event: Accepted, Signer: SenderBroker, ForAll: true, Rank: 1, Label: "Déposé", ETSI: "SubmissionAcceptance"},
		{Event: Rejected, Signer: SenderBroker, ForAll: true, Closes: true, Label: "Refusé au dépôt", ETSI: "SubmissionRejection", Reasons: []string{ReasonInvalid, ReasonForbidden}},
		{Event: Relayed, Signer: RelayOrSenderBroker, Rank: 2, Label: "Transmis", ETSI: "RelayAcceptance"},
		{Event: RelayFailed, Signer: RelayOrSenderBroker, Sets: FlagRelayFailed, Label: "Échec de transmission", ETSI: "RelayFailure", Reasons: []string{ReasonGivenUp, ReasonRefused}},
		{Event: Consigned, Signer: Recipient, Rank: 3, Clears: FlagRelayFailed | FlagConsignFailed | FlagQuarantined, Label: "Mis à disposition", ETSI: "ContentConsignment"},
		{Event: ConsignFailed, Signer: RecipientOrItsBroker, Sets: FlagConsignFailed, Reasons: failures, Label: "Non remis", ETSI: "ContentConsignmentFailure"},
		{Event: Quarantined, Signer: RecipientOrItsBroker, Sets: FlagQuarantined, Reasons: []string{ReasonRevoked, ReasonInvalid}, Label: "Retenu, à confirmer par téléphone", ETSI: "x-Quarantine"},
		{Event: Alerted, Signer: RecipientBroker, Sets: FlagAlerted, Label: "Permanence alertée", ETSI: "ConsignmentNotification"},
		{Event: AlertFailed, Signer: RecipientBroker, Label: "Permanence non jointe", ETSI: "ConsignmentNotificationFailure", Reasons: []string{ReasonUnreachable}},
		{Event: Overdue, Signer: SenderBroker, Sets: FlagOverdue, ToParty: true, Label: "Sans réponse", ETSI: "AcceptanceRejectionExpiry"},
		{Event: Purged, Signer: BrokerOfSenderOrParty, Either: true, Sets: FlagPurged, Label: "Contenu effacé", ETSI: "x-Purge"},
		{Event: Fetched, Signer: Recipient, Sealed: true, Detail: true, Rank: 4, Label: "Récupéré par l'application", ETSI: "x-Fetch"},
		{Event: Opened, Signer: Recipient, Sealed: true, Detail: true, Rank: 5, Label: "Ouvert", ETSI: "ContentHandover"},
		{Event: Registered, Signer: Recipient, Sealed: true, Detail: true, Act: true, Rank: 6, Clears: FlagOverdue, Number: true, Date: true, Label: "Enregistré au greffe", ETSI: "x-Registration"},
		{Event: TakenInCharge, Signer: Recipient, Sealed: true, Detail: true, Act: true, Rank: 7, Clears: FlagOverdue, Label: "Suivi assuré", ETSI: "ConsignmentAcceptance"},
		{Event: Executed, Signer: Recipient, Sealed: true, Detail: true, Act: true, Rank: 9, Clears: FlagOverdue, Date: true, Label: "Mesure mise à exécution", ETSI: "x-Execution"},
		{Event: NotExecuted, Signer: Recipient, Sealed: true, Detail: true, Act: true, Rank: 8, Clears: FlagOverdue, Label: "Difficulté d'exécution", ETSI: "x-Execution", Reasons: []string{ReasonNoPlace, ReasonNotFound, ReasonOpposition, ReasonOther}},
		{Event: Returned, Signer: Recipient, Sealed: true, Detail: true, Act: true, Closes: true, Clears: FlagOverdue, Label: "Retourné à l'expéditeur", ETSI: "ConsignmentRejection", Reasons: []string{ReasonWrongParty, ReasonIncomplete, ReasonDoubled, ReasonOther}},
		{Event: Redirected, Signer: Recipient, Sealed: true, Detail: true, Closes: true, Label: "Réorienté", ETSI: "x-Redirection", Reasons: []string{ReasonWrongPlace, ReasonWrongParty, ReasonOther}},
	}
}

// Reason codes. They are French ASCII: they are read in court.
const (
	ReasonRevoked        = "cle_revoquee"
	ReasonExpired        = "cle_perimee"
	ReasonRetired        = "cle_retiree"
	ReasonBackDated      = "date_incoherente"
	ReasonDeposit        = "depot_invalide"
	ReasonNotAddressee   = "non_destinataire"
	ReasonUnreadable     = "illisible"
	ReasonInnerSignature = "signature_interieure"
	ReasonAltered        = "piece_alteree"
	ReasonHeaderDiffers  = "entete_discordant"
	ReasonActe           = "acte_discordant"
	ReasonForbidden      = "envoi_non_prevu"
	ReasonInvalid        = "document_invalide"
	ReasonReplay         = "rejeu"
	ReasonTooLarge       = "trop_volumineux"
	ReasonNoKey          = "destinataire_sans_cle"
	ReasonGivenUp        = "delai_depasse"
	ReasonRefused        = "refuse_a_l_arrivee"
	ReasonUnreachable    = "injoignable"
	ReasonNoPlace        = "absence_de_place"
	ReasonNotFound       = "enfant_introuvable"
	ReasonOpposition     = "opposition"
	ReasonWrongParty     = "erreur_de_destinataire"
	ReasonWrongPlace     = "incompetence_territoriale"
	ReasonIncomplete     = "dossier_incomplet"
	ReasonDoubled        = "double_emploi"
	ReasonOther          = "autre"
)

var eventRows = indexEvents()

func indexEvents() map[Event]EventRow {
	m := map[Event]EventRow{}
	for _, row := range EventTable() {
		m[row.Event] = row
	}
	return m
}

// LookupEvent finds the row of an event.
func LookupEvent(e Event) (EventRow, bool) {
	row, ok := eventRows[e]
	return row, ok
}

// AllowsReason says whether a code is one of the row's, or absent where the
// row takes none.
func (r EventRow) AllowsReason(code string) bool {
	if len(r.Reasons) == 0 {
		return code == ""
	}
	for _, c := range r.Reasons {
		if c == code {
			return true
		}
	}
	return false
}
