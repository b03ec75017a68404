package broker

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// ErrAssertion says that bytes are not an assertion.json in the form of the
// wire, or that it does not hold.
var ErrAssertion = errors.New("the passkey signed something else")

var rawURL = base64.RawURLEncoding.Strict()

// assertionFile is assertion.json, in the order of its members: what a
// WebAuthn authenticator answered (WebAuthn level 2, section 5.2.2).
type assertionFile struct {
	CredentialID      string `json:"credential_id"`
	PublicKey         string `json:"public_key"` // SubjectPublicKeyInfo
	AuthenticatorData string `json:"authenticator_data"`
	ClientDataJSON    string `json:"client_data_json"`
	Signature         string `json:"signature"`
}

func (a assertionFile) encode() []byte {
	o := newObject(1024)
	o.str("credential_id", a.CredentialID)
	o.str("public_key", a.PublicKey)
	o.str("authenticator_data", a.AuthenticatorData)
	o.str("client_data_json", a.ClientDataJSON)
	o.str("signature", a.Signature)
	return o.bytes()
}

// parseAssertion reads assertion.json. Whatever encode would not write, or a
// member that is not base64url, is ErrAssertion. The fields are the decoded
// members, in their order.
func parseAssertion(b []byte) (fields [5][]byte, err error) {
	var a assertionFile
	if len(b) > maxAssertion || decodeStrict(b, &a) != nil || same(b, a.encode()) != nil {
		return fields, ErrAssertion
	}
	for i, s := range []string{a.CredentialID, a.PublicKey, a.AuthenticatorData, a.ClientDataJSON, a.Signature} {
		if fields[i], err = rawURL.DecodeString(s); err != nil || s == "" {
			return fields, ErrAssertion
		}
	}
	return fields, nil
}

// CheckAssertion checks that assertion.json is in the form of the wire, and
// that the passkey that it carries signed this digest (lower-case hex, of
// detail.json or of acte.json) in the presence of a person. Whose the passkey
// is, nothing here can say: the institution's register does. It returns
// ErrAssertion.
func CheckAssertion(b []byte, digest string) error {
	f, err := parseAssertion(b)
	if err != nil {
		return err
	}
	challenge, err := hex.DecodeString(digest)
	if err != nil || len(challenge) != sha256.Size {
		return ErrAssertion
	}
	return checkAssertion(f[1], f[2], f[3], f[4], challenge)
}

// checkAssertion verifies as WebAuthn level 2 section 7.2 says, as far as the
// file alone allows: type, challenge, presence of a person, signature.
func checkAssertion(key, authenticator, client, sig, challenge []byte) error {
	var said struct{ Type, Challenge string }
	if json.Unmarshal(client, &said) != nil || said.Type != "webauthn.get" || said.Challenge != rawURL.EncodeToString(challenge) {
		return ErrAssertion
	}
	const shortest, userPresent = 37, 1
	if len(authenticator) < shortest || authenticator[32]&userPresent == 0 {
		return ErrAssertion
	}
	hash := sha256.Sum256(client)
	signed := append(bytes.Clone(authenticator), hash[:]...)
	public, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		return ErrAssertion
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(signed)
		if k.Curve == elliptic.P256() && ecdsa.VerifyASN1(k, sum[:], sig) {
			return nil
		}
	case ed25519.PublicKey:
		if ed25519.Verify(k, signed, sig) {
			return nil
		}
	}
	return ErrAssertion
}

// claimable refuses a basis that nothing here can establish. A passkey signs
// the digest of the act, salt included, and no act can be prepared before it
// is signed yet: an assertion that comes with the call signed something else.
func claimable(basis Basis, assertion []byte) error {
	switch {
	case basis == Passkey:
		return &Refusal{Code: RefusedActor, Field: "basis", Hint: "a passkey cannot sign an act here yet: say authenticated, or declared"}
	case !isBasis(basis), len(assertion) > 0:
		return refuse(RefusedActor, "basis", nil)
	}
	return nil
}

// assertionHolds says whether an assertion is there when the basis is a
// passkey, and only then, and signed this digest.
func assertionHolds(basis Basis, assertion []byte, digest string) bool {
	if basis != Passkey {
		return assertion == nil
	}
	return CheckAssertion(assertion, digest) == nil
}
