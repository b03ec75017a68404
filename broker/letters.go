package broker

import (
	"fmt"
	"strings"

	"vaguemestre/broker/journal"
)

// Letter is a dead letter: an item that will not be carried unless a person
// takes it up again (Broker.Requeue).
type Letter struct {
	Seq      uint64
	Topic    string // TopicPli or TopicEvidence
	Dest     PartyID
	ID       string // of the pli; "" of a sealed evidence that only passes
	Entered  string // when it was queued, as FormatTime writes it
	Attempts int    // beyond the first
	Reason   string // a closed code: see ExplainCode
}

// ReadLetters lists the dead letters of a journal in order of entry, from a Seq
// on, at most n. It needs no key.
func ReadLetters(v journal.View, from uint64, n int) ([]Letter, error) {
	var out []Letter
	for _, it := range v.Letters(from, n) {
		l := Letter{
			Seq: it.Seq, Topic: it.Topic, Dest: PartyID(it.Dest), ID: string(it.Payload),
			Entered: FormatTime(it.Entered), Attempts: it.Attempts, Reason: it.Reason,
		}
		if it.Topic == TopicEvidence {
			var ok bool
			if l.ID, ok = evidenceOf(v, it); !ok {
				return nil, fmt.Errorf("dead letter %d: %w", it.Seq, ErrFormat)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// ReadAlarms lists what waits for somebody, oldest pli first. It needs no key.
func ReadAlarms(v journal.View) (out []Alarm) {
	v.Scan(spaceAlarm, "", "", func(key string, value []byte) bool {
		if f := strings.Split(key, "/"); len(f) == 3 {
			out = append(out, Alarm{ID: f[0], Recipient: PartyID(f[1]), Cause: Event(f[2]), Since: string(value)})
		}
		return true
	})
	return out
}

// ExplainCode says in one French sentence, for people, what a Reason or Refused
// code means; of any other code, that this program does not know it.
func ExplainCode(code string) string {
	for _, row := range codeTable() {
		if row.code == code {
			return row.sentence
		}
	}
	return "Motif que ce programme ne connaît pas."
}

type codeRow struct{ code, sentence string }

// codeTable is the only place that explains the codes. It is built afresh so
// that nobody can change it.
func codeTable() []codeRow {
	return append([]codeRow{
		{ReasonRevoked, "La clé de l'expéditeur a été révoquée : lui téléphoner avant toute suite."},
		{ReasonExpired, "La clé de l'expéditeur n'était pas en cours de validité."},
		{ReasonRetired, "La clé de l'expéditeur avait été remplacée."},
		{ReasonBackDated, "Les dates du pli ne s'accordent pas entre elles, ou avec l'heure de réception."},
		{ReasonDeposit, "L'attestation de dépôt n'est pas valable."},
		{ReasonNotAddressee, "Le pli n'est pas adressé à ce destinataire."},
		{ReasonUnreadable, "Le pli n'a pas pu être déchiffré."},
		{ReasonInnerSignature, "La signature de l'intérieur du pli n'est pas celle de son expéditeur."},
		{ReasonAltered, "Une pièce du pli n'est pas celle qui a été signée."},
		{ReasonHeaderDiffers, "L'intérieur du pli ne correspond pas à son enveloppe."},
		{ReasonActe, "L'acte joint ne correspond pas au pli."},
		{ReasonForbidden, "Ce genre d'envoi n'est pas prévu entre ces deux services."},
		{ReasonInvalid, "Le document ne suit pas le modèle attendu."},
		{ReasonReplay, "Ce pli reprend le numéro d'un autre, déjà reçu."},
		{ReasonTooLarge, "Le pli est trop volumineux pour le destinataire."},
		{ReasonNoKey, "Le destinataire n'a pas de clé qui puisse servir."},
		{ReasonGivenUp, "Le destinataire n'a pas pu être joint dans le délai."},
		{ReasonRefused, "Le courrier du destinataire a refusé l'envoi à l'arrivée."},
		{ReasonUnreachable, "La permanence n'a pas pu être jointe."},
		{ReasonNoPlace, "Aucune place n'est disponible."},
		{ReasonNotFound, "L'enfant n'a pas été trouvé."},
		{ReasonOpposition, "L'exécution s'est heurtée à une opposition."},
		{ReasonWrongParty, "Le pli était destiné à un autre service."},
		{ReasonWrongPlace, "Le service n'est pas territorialement compétent."},
		{ReasonIncomplete, "Le dossier est incomplet."},
		{ReasonDoubled, "Le pli fait double emploi avec un autre."},
		{ReasonOther, "Autre motif, précisé dans l'acte."},
		{reasonErased, "Le contenu a été effacé ici avant d'avoir pu partir : rien ne peut plus être remis."},
	}, refusedTable()...)
}

func refusedTable() []codeRow {
	return []codeRow{
		{RefusedFormat, "L'envoi n'a pas la forme attendue : vérifier les versions des deux courriers."},
		{RefusedPeer, "Le courrier qui apporte l'envoi n'est pas celui que l'annuaire du destinataire indique."},
		{RefusedDestination, "Le destinataire n'est pas chez le courrier auquel l'envoi a été porté : vérifier l'annuaire."},
		{RefusedSignature, "La signature n'a pas été reconnue à l'arrivée : vérifier que l'autre courrier a les clés à jour."},
		{RefusedUnknownPli, "La preuve porte sur un pli que l'autre courrier ne connaît pas."},
		{RefusedSigner, "La preuve n'est pas signée par celui qui pouvait la faire."},
		{RefusedDoubled, "Une preuve différente du même fait a déjà été reçue."},
		{RefusedFuture, "La date est dans l'avenir : vérifier l'heure des deux courriers."},
		{RefusedDetail, "Le détail de l'acte manque, ou ne correspond pas à la preuve."},
		{RefusedParty, "Un service nommé n'est pas dans l'annuaire."},
		{RefusedRecipients, "La liste des destinataires n'est pas acceptable."},
		{RefusedUrgency, "L'urgence indiquée n'est pas admise."},
		{RefusedPieces, "Les pièces jointes ne sont pas acceptables."},
		{RefusedActor, "La personne qui agit n'est pas désignée comme il faut."},
		{RefusedThread, "Le fil indiqué n'est pas celui d'un pli connu."},
		{RefusedEvent, "Cet acte n'est pas admis ici, ou pas sous cette forme."},
		{RefusedKey, "Une clé manque ou ne peut pas servir : vérifier les clés des deux services."},
		{RefusedOther, "L'autre courrier a refusé pour un motif que ce programme ne connaît pas."},
	}
}
