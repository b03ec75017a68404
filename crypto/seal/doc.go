// Package seal signs and encrypts for named certificates, and opens what was
// sealed. It is the only importer of the OpenPGP library.
//
// # What it writes
//
// Certificates: v4, Ed25519 and Curve25519 under the legacy algorithm numbers,
// AES-256, SHA-256, SEIPDv1 and no compression announced. Messages: one key
// packet (PKESK v3) for each recipient and for the sender, then one SEIPDv1
// packet that holds a one-pass signature, a binary literal without file name,
// and one SHA-256 signature that names its intended recipients (RFC 9580
// sections 5.1, 5.13, 5.4, 5.9, 5.2). Signatures: one armored block. All of it
// is read by gpg 2.2 and everything since; there is no negotiation.
//
// # What it accepts
//
// The same, and SEIPDv2; one layer of ZIP or ZLIB, which gpg adds; RSA of 3072
// to 4096 bits and the NIST curves beside Curve25519. Open, Verify, ParseCert
// and Unlock each say what they refuse. No option turns a check off.
//
// # Library used by packets, not by messages
//
// Keys, signatures, key packets and the encrypted stream are the library's. The
// order of packets, the choice of keys, dates and the verdict are ours, because
// its message reader, as of version 1.5.2, accepts an unencrypted or unsigned
// message in silence, takes one good signature of several, skips the check of
// intended recipients when a password packet is present, ignores what
// surrounds armor, prefers weaker ciphers for some certificates, and stores
// verdicts lazily in shared structures. A certificate is verified once, by
// ParseCert, and then only read: nothing is verified twice on the way of a
// message, and concurrent use needs no lock.
//
// # Dates
//
// Open and Verify do not judge expiry and revocation of a certificate (a signing
// subkey must be valid at the date of its signature): they say who signed and
// which date the signer gives. That date proves nothing by itself, since the
// holder of an expired or stolen key writes what he likes. The caller judges
// with Cert.Standing at a date that he trusts, such as the deposit stamp of a
// broker. So old messages still open, and old evidence still verifies, after
// keys were rotated or revoked. Keys that sign or are encrypted to must be
// Usable when used: Sign and Seal refuse otherwise.
//
// A stripped certificate keeps one self-signature of each sort, the newest. A
// signature is checked against what that one says of the key, even when it is
// newer than the signature itself: prolonging a certificate does not invalidate
// what it signed before.
//
// # Two passes
//
// Integrity of SEIPDv1, and the signature, are known only at the end. So Open
// reads everything before it returns, content to nowhere but a small buffer;
// Opened.Reader decrypts large content again from the same bytes, and compares
// its digest. No plain text touches a disk.
//
// # Errors
//
// *Error carries one word of a closed list. From decryption on the word is
// always "undecipherable", and the exact one, for the journal only, is found by
// Exact: what an attacker learns from answers he can turn into an oracle. I/O
// errors of the caller's reader stay themselves: they are not a verdict.
package seal
