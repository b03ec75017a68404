package export

import (
	"vaguemestre/broker"
)

// assertion checks that the passkey signed this digest. Whose the passkey is,
// nothing here can say: the institution's register does.
func (c *checking) assertion(name string, b []byte, digest string) error {
	if err := broker.CheckAssertion(b, digest); err != nil {
		return fault(name, err.Error())
	}
	c.note(name + ": signed by the passkey that it carries; whose it is must be asked of the institution")
	return nil
}
