// Package broker is the way of a message: from a document that a party
// deposits to signed facts about what became of it.
//
// # Two halves
//
// Accept takes a Submission from an adapter, for an authenticated party, and
// ends with a receipt:
//
//	validate -> address -> seal -> journal (commit point) -> route -> deliver
//
// Receive takes a parcel from a carrier, for a party whose home this broker
// is, and ends with a signed evidence:
//
//	check -> open -> compare -> journal (commit point) -> consigned
//
// A relay takes parcels for parties that live elsewhere, and opens none:
//
//	check what stands outside -> journal (commit point) -> relayed -> deliver
//
// The two halves share no memory: a broker that is home of both ends plays
// them one after the other through its own queue. Nothing here asks "am I the
// hub?"; whether a party is at home, and by which way its home is reached, are
// lines of the directory.
//
// # What is withheld
//
// A pli in quarantine is kept, sealed, and shown to a person at both ends. It
// leaves that state by what a person decides at the recipient's: any act, or
// Release, which signs the consigned that its arrival did not. The table gives
// consigned no detail, so who decided and why does not travel: it is journaled
// there, sealed to the recipient (see Release).
//
// # The core
//
// Step decides what an input changes. It has no goroutine, no clock and no
// randomness: it reads the state, and returns a Batch for the journal. It runs
// inside the journal's write transaction, so two inputs never see the same
// state, and nothing can be decided on data that is not committed. Everything
// slow (cryptography, streaming, signatures) happens before it; what was true
// then is checked again in it.
//
// # What a crash leaves
//
// Nothing that was not answered needs to be undone, and nothing that was
// answered can be missing: the answer leaves after the commit. Run begins by
// taking up what is pending; there is no repair command.
//
// # Errors
//
// A Refusal carries a closed code, for whoever is outside; its cause is for
// the journal and the operator. ErrTemporary asks the caller to come back.
package broker
