package schemas

import "slices"

// ReplyPath is the path of the réserve on the pli that is answered: a member of
// the call, not of the document.
const ReplyPath = "in_reply_to"

// MayAnswer tells whether a kind may answer another in the same situation, as
// the table of kinds says.
func MayAnswer(answered, by Kind) bool {
	r := find(answered)
	return r != nil && slices.Contains(r.Answers, by)
}

// Answering is the document as the answer to a pli of some kind. Where the
// table does not expect that answer, the document has one réserve more, which
// is written in its text too: it goes, and both sides are told.
func (d *Document) Answering(answered Kind) *Document {
	r := find(answered)
	if r == nil || MayAnswer(answered, d.plan.kind) {
		return d
	}
	unexpected := Field{Path: ReplyPath, Code: codeReponse, Message: "« " + find(d.plan.kind).Label + " » ne répond pas d'ordinaire à « " + r.Label + " » : vérifiez le pli auquel celui-ci répond."}
	tied := *d
	tied.reserves = func() []Field { return append(d.Reserves(), unexpected) }
	return &tied
}
