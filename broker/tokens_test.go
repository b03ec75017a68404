package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

func aToken(n int) broker.Token {
	secret := fmt.Sprintf("vmt_%04d", n)
	return broker.Token{
		Digest: broker.Digest([]byte(secret)), Hint: secret, Application: "logiciel-fictif", Party: ase,
		Rights: []broker.Right{broker.RightSend, broker.RightRead, broker.RightSend},
	}
}

// A token is what its entries in the journal say: the same after the file was
// opened again, rebuilt from its records, and copied.
func TestTokensAreJournaled(t *testing.T) {
	ctx := context.Background()
	tn := newTown(t, nil)
	b := tn.at(nord)
	kept, err := b.AddToken(ctx, aToken(1))
	if err != nil {
		t.Fatal(err)
	}
	if want := []broker.Right{broker.RightRead, broker.RightSend}; !slices.Equal(kept.Rights, want) || kept.Created == "" {
		t.Errorf("kept as %v", kept)
	}
	if _, err := b.AddToken(ctx, aToken(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddToken(ctx, aToken(2)); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("the same digest twice: %v", err)
	}
	if err := b.RevokeToken(ctx, kept.Digest); err != nil {
		t.Fatal(err)
	}
	if err := b.RevokeToken(ctx, kept.Digest); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("revoked twice: %v", err)
	}
	if err := b.RevokeToken(ctx, broker.Digest([]byte("none"))); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("revoked and never given: %v", err)
	}
	before, err := b.Tokens()
	if err != nil || len(before) != 2 {
		t.Fatalf("%d tokens, %v", len(before), err)
	}

	restore(t, tn, nord)
	if got := replayed(t, tn, nord); got != 2 {
		t.Errorf("the records give %d tokens, want 2", got)
	}
	after, err := tn.at(nord).Tokens()
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after a restored copy: %v, want %v, %v", after, before, err)
	}
	again, err := tn.at(nord).Token(kept.Digest)
	if err != nil || again.Revoked == "" || again.Valid(time.Now()) {
		t.Errorf("a revoked token came back: %v", err)
	}
	if err := tn.Nodes[nord].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Verify(ctx, tn.Dir(nord), nil); err != nil {
		t.Errorf("the projection is not what its events say: %v", err)
	}
	if _, err := tn.OpenNode(ctx, nord); err != nil {
		t.Fatal(err)
	}
}

// replayed counts the tokens that the records of all logs say.
func replayed(t *testing.T, tn *town, id broker.BrokerID) (n int) {
	t.Helper()
	err := tn.Nodes[id].Journal.View(func(v journal.View) error {
		held := map[string]bool{}
		for _, head := range v.Logs() {
			l, err := v.Log(head.Origin)
			if err != nil {
				return err
			}
			for i := range l.Size() {
				e, err := l.Record(i)
				if err != nil {
					return err
				}
				for _, p := range e.Puts {
					if p.Space == "token" {
						held[p.Key] = true
					}
				}
			}
		}
		n = len(held)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What a token allows ends at its hour, and nothing can be kept that would
// give more than the list of rights, or to a party of another home.
func TestTokenRules(t *testing.T) {
	ctx := context.Background()
	tn := newTown(t, nil)
	b, now := tn.at(nord), time.Now()
	short := aToken(1)
	short.Expires = broker.FormatTime(now.Add(time.Hour))
	kept, err := b.AddToken(ctx, short)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]bool{now.Add(time.Minute): true, now.Add(2 * time.Hour): false} {
		if kept.Allows(broker.RightSend, at) != want {
			t.Errorf("allows at %s: %t", at.Sub(now), !want)
		}
	}
	if kept.Allows(broker.RightAudit, now) {
		t.Error("allows what it was not given")
	}
	for name, change := range map[string]func(*broker.Token){
		"party elsewhere":   func(t *broker.Token) { t.Party = parquet },
		"no right":          func(t *broker.Token) { t.Rights = nil },
		"unknown right":     func(t *broker.Token) { t.Rights = []broker.Right{"tout"} },
		"a person's name":   func(t *broker.Token) { t.Application = "MODÈLE Alix" },
		"digest":            func(t *broker.Token) { t.Digest = "00" },
		"hint":              func(t *broker.Token) { t.Hint = "vmt_0000000" },
		"expired already":   func(t *broker.Token) { t.Expires = broker.FormatTime(now.Add(-time.Minute)) },
		"no such hour":      func(t *broker.Token) { t.Expires = "demain" },
		"application empty": func(t *broker.Token) { t.Application = "" },
	} {
		bad := aToken(9)
		change(&bad)
		if _, err := b.AddToken(ctx, bad); !errors.Is(err, broker.ErrTokenFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Token(aToken(9).Digest); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("a refused token: %v", err)
	}
}
