package export

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errAssertion says that bytes are not an assertion.json as MEMBERS describes
// it, or that it does not hold.
var errAssertion = errors.New("the passkey signed something else")

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
	return fmt.Appendf(nil, `{"credential_id":"%s","public_key":"%s","authenticator_data":"%s","client_data_json":"%s","signature":"%s"}`,
		a.CredentialID, a.PublicKey, a.AuthenticatorData, a.ClientDataJSON, a.Signature)
}

// parseAssertion reads assertion.json. Whatever encode would not write, or a
// member that is not base64url, is errAssertion.
func parseAssertion(b []byte) (a assertionFile, fields [5][]byte, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&a) != nil {
		return a, fields, errAssertion
	}
	if _, err := d.Token(); err != io.EOF {
		return a, fields, errAssertion
	}
	for i, s := range []string{a.CredentialID, a.PublicKey, a.AuthenticatorData, a.ClientDataJSON, a.Signature} {
		if fields[i], err = rawURL.DecodeString(s); err != nil || s == "" {
			return a, fields, errAssertion
		}
	}
	if !bytes.Equal(a.encode(), b) {
		return a, fields, errAssertion
	}
	return a, fields, nil
}

// assertion checks that the passkey signed this digest. Whose the passkey is,
// nothing here can say: the institution's register does.
func (c *checking) assertion(name string, b []byte, digest string) error {
	_, fields, err := parseAssertion(b)
	if err == nil {
		err = checkAssertion(fields[1], fields[2], fields[3], fields[4], unhex(digest))
	}
	if err != nil {
		return fault(name, err.Error())
	}
	c.note(name + ": signed by the passkey that it carries; whose it is must be asked of the institution")
	return nil
}

// checkAssertion verifies as WebAuthn level 2 section 7.2 says, as far as the
// file alone allows: type, challenge, presence of a person, signature.
func checkAssertion(key, authenticator, client, sig, challenge []byte) error {
	var said struct{ Type, Challenge string }
	if json.Unmarshal(client, &said) != nil || said.Type != "webauthn.get" || said.Challenge != rawURL.EncodeToString(challenge) {
		return errAssertion
	}
	const shortest, userPresent = 37, 1
	if len(authenticator) < shortest || authenticator[32]&userPresent == 0 {
		return errAssertion
	}
	hash := sha256.Sum256(client)
	signed := append(bytes.Clone(authenticator), hash[:]...)
	public, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		return errAssertion
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
	return errAssertion
}
