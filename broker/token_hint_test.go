package broker_test

import (
	"context"
	"testing"
)

// What AddToken accepts is there: a hint that a row cannot spell is refused.
func TestTokenThatIsKeptIsFound(t *testing.T) {
	tn := newTown(t, nil)
	b := tn.at(nord)
	tok := aToken(1)
	tok.Hint = `ab"cdefg`
	if _, err := b.AddToken(context.Background(), tok); err != nil {
		return // refused: right
	}
	if _, err := b.Token(tok.Digest); err != nil {
		t.Errorf("AddToken said yes, and: %v", err)
	}
	if err := b.RevokeToken(context.Background(), tok.Digest); err != nil {
		t.Errorf("and it cannot be revoked: %v", err)
	}
}
