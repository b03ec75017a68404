package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"vaguemestre/broker"
)

// OpenCarrier makes a carrier that speaks in the name of from and leads to the
// home of a party, where far receives. It closes it with the test.
type OpenCarrier func(t *testing.T, far broker.Receiver) (c broker.Carrier, from broker.BrokerID, to broker.PartyID)

// TestCarrier is the suite of broker.Carrier.
func TestCarrier(t *testing.T, open OpenCarrier) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, OpenCarrier)
	}{
		{"brings every byte, in the sender's name", testBytes},
		{"asks for a body only when it is wanted", testUnwantedBody},
		{"tells a refusal from a failure", testAnswers},
		{"fails when the body fails", testBrokenBody},
		{"ends with the context", testContext},
		{"carries many at once", testMany},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

// far is a receiver that says what it is told to, and keeps what came.
type far struct {
	answer func(ctx context.Context, peer broker.BrokerID, to broker.PartyID, p broker.Parcel) error
}

// Receive implements broker.Receiver.
func (f far) Receive(ctx context.Context, peer broker.BrokerID, to broker.PartyID, p broker.Parcel) error {
	return f.answer(ctx, peer, to, p)
}

func someParcel(body []byte) broker.Parcel {
	return broker.Parcel{Pli: &broker.PliParcel{
		Header: []byte(`{"v":1}`), HeaderSig: []byte("-----BEGIN"), Deposit: []byte(`{"v":1,"event":"accepted"}`), DepositSig: []byte("-----\n"),
		Body: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}}
}

func testBytes(t *testing.T, open OpenCarrier) {
	body := bytes.Repeat([]byte{0, 1, 2, 0xff}, 100_000)
	var wantFrom broker.BrokerID
	var wantTo broker.PartyID
	calls := 0
	c, from, to := open(t, far{func(ctx context.Context, peer broker.BrokerID, to broker.PartyID, p broker.Parcel) error {
		calls++
		if peer != wantFrom || to != wantTo {
			t.Errorf("%s for %s, want %s for %s", peer, to, wantFrom, wantTo)
		}
		if p.Evidence != nil {
			if p.Pli != nil || (p.Evidence.Sealed == nil) == (p.Evidence.Evidence == nil) || string(p.Evidence.Sealed)+string(p.Evidence.Evidence)+string(p.Evidence.Sig)+p.Evidence.Digest == "" {
				t.Errorf("an evidence came otherwise: %+v", p)
			}
			return nil
		}
		want := someParcel(nil).Pli
		if p.Pli == nil || !bytes.Equal(p.Pli.Header, want.Header) || !bytes.Equal(p.Pli.HeaderSig, want.HeaderSig) || !bytes.Equal(p.Pli.Deposit, want.Deposit) || !bytes.Equal(p.Pli.DepositSig, want.DepositSig) {
			t.Error("the parts came otherwise")
			return nil
		}
		r, err := p.Pli.Body(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
		}
		return nil
	}})
	wantFrom, wantTo = from, to
	for _, p := range []broker.Parcel{
		someParcel(body),
		{Evidence: &broker.EvidenceParcel{Digest: "d", Evidence: []byte("{}"), Sig: []byte("s")}},
		{Evidence: &broker.EvidenceParcel{Digest: "d", Sealed: []byte{0xc1}}},
	} {
		if err := c.Carry(t.Context(), to, p); err != nil {
			t.Error(err)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func testUnwantedBody(t *testing.T, open OpenCarrier) {
	c, _, to := open(t, far{func(context.Context, broker.BrokerID, broker.PartyID, broker.Parcel) error { return nil }})
	p := someParcel(nil)
	p.Pli.Body = func(context.Context) (io.ReadCloser, error) {
		t.Error("the body was asked for")
		return nil, io.ErrUnexpectedEOF
	}
	if err := c.Carry(t.Context(), to, p); err != nil {
		t.Error(err)
	}
}

func testAnswers(t *testing.T, open OpenCarrier) {
	var answer error
	c, _, to := open(t, far{func(context.Context, broker.BrokerID, broker.PartyID, broker.Parcel) error { return answer }})
	var r *broker.Refusal
	answer = &broker.Refusal{Code: broker.RefusedSignature, Field: "header"}
	if err := c.Carry(t.Context(), to, someParcel(nil)); !errors.As(err, &r) || r.Code != broker.RefusedSignature {
		t.Errorf("a refusal came as %v", err)
	}
	for _, answer = range []error{fmt.Errorf("%w: body", broker.ErrTemporary), io.ErrUnexpectedEOF} {
		if err := c.Carry(t.Context(), to, someParcel(nil)); err == nil || errors.As(err, &r) {
			t.Errorf("a failure came as %v", err)
		}
	}
}

func testBrokenBody(t *testing.T, open OpenCarrier) {
	c, _, to := open(t, far{func(ctx context.Context, _ broker.BrokerID, _ broker.PartyID, p broker.Parcel) error {
		r, err := p.Pli.Body(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	}})
	broken := func(f func() (io.ReadCloser, error)) broker.Parcel {
		p := someParcel(nil)
		p.Pli.Body = func(context.Context) (io.ReadCloser, error) { return f() }
		return p
	}
	var r *broker.Refusal
	for _, f := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) { return nil, io.ErrNoProgress },
		func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{})), nil
		},
	} {
		if err := c.Carry(t.Context(), to, broken(f)); err == nil || errors.As(err, &r) {
			t.Errorf("a broken body came as %v", err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func testContext(t *testing.T, open OpenCarrier) {
	c, _, to := open(t, far{func(ctx context.Context, _ broker.BrokerID, _ broker.PartyID, _ broker.Parcel) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var r *broker.Refusal
	if err := c.Carry(ctx, to, someParcel(nil)); err == nil || errors.As(err, &r) {
		t.Errorf("got %v", err)
	}
}

func testMany(t *testing.T, open OpenCarrier) {
	c, _, to := open(t, far{func(ctx context.Context, _ broker.BrokerID, _ broker.PartyID, p broker.Parcel) error {
		r, err := p.Pli.Body(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err == nil && len(b) != 10_000 {
			err = io.ErrShortBuffer
		}
		return err
	}})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if err := c.Carry(t.Context(), to, someParcel(bytes.Repeat([]byte{byte(i)}, 10_000))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
