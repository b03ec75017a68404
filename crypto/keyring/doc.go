// Package keyring holds the certificates of parties and brokers and the
// private keys of those that are at home here, and says which serve when.
//
// An owner is the id of a party or of a broker. It may have several
// certificates, as it changes keys: all are kept, for ever, because old
// messages must open and old signatures verify. To sign and to seal, the newest
// that is usable at that time is taken. A certificate that comes again is merged
// with the one held: what is revoked stays revoked.
//
// # On disk
//
//	DIR/<owner>/<fingerprint>.pgp   certificate, binary
//	DIR/<owner>/<fingerprint>.key   transferable secret key, Argon2id (seal.LockArgon2)
//
// Directories are 0700, files 0600; a key file that others may read is
// refused. Each file is written beside, fsynced, renamed, its directory
// fsynced, so that a crash leaves the old file or the new one. Private keys are
// in clear in memory only.
//
// # Concurrency
//
// A Ring is safe for concurrent use. Lookups are maps; the certificates of an
// owner are a short slice replaced as a whole, so that no lock is held during
// cryptography. Short operations (up to a mebibyte) share as many slots as
// there are processors: more of them at once would not go faster, and would
// delay the one goroutine that commits the journal. Longer ones take no slot,
// so that large pieces do not keep an urgent message waiting.
package keyring
