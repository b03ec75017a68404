package queue

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
)

func sample() *message.Message {
	m := message.NewMessage("018f", []byte("payload"))
	m.Metadata = message.Metadata{"b": "2", "a": "", "": "x"}
	return m
}

// The encoding is on disk: it may not change under the same version.
func TestEncodingIsFixed(t *testing.T) {
	b, err := encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	want := "\x01\x04018f\x03\x00\x01x\x01a\x00\x01b\x012payload"
	if string(b) != want {
		t.Fatalf("%q, want %q", b, want)
	}
	m, err := decode(b)
	if err != nil || !m.Equals(sample()) {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"other version":      "\x02\x00\x00",
		"no uuid":            "\x01",
		"uuid cut":           "\x01\x05abc",
		"no count":           "\x01\x01a",
		"count beyond input": "\x01\x00\x7f\x01a\x01b",
		"key cut":            "\x01\x00\x01\x05a",
		"value cut":          "\x01\x00\x01\x01a\x05",
		"keys out of order":  "\x01\x00\x02\x01b\x00\x01a\x00",
		"key twice":          "\x01\x00\x02\x01a\x00\x01a\x00",
		"long form of zero":  "\x01\x80\x00\x00",
		"overflow":           "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	} {
		if m, err := decode([]byte(text)); !errors.Is(err, errMalformed) || m != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := encode(sample())
	f.Add(b)
	f.Add([]byte("\x01\x00\x00"))
	f.Add([]byte("\x01\x80\x00\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		if again, err := encode(m); err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
	})
}

// More messages than one event can number are still one commit, in order.
func TestPublishMany(t *testing.T) {
	j, q := start(t, Options{})
	var all []*message.Message
	for i := range 600 {
		all = append(all, message.NewMessage(fmt.Sprint(i), nil))
	}
	before := j.Head().Size
	if err := q.Publish("t", all...); err != nil {
		t.Fatal(err)
	}
	if n := j.Head().Size - before; n != 3 {
		t.Fatalf("%d events, want 3", n)
	}
	c := subscribe(t, q, "t")
	for i := range 600 {
		m := receive(t, c)
		if m.UUID != fmt.Sprint(i) {
			t.Fatalf("came %s, want %d", m.UUID, i)
		}
		m.Ack()
	}
	if err := q.Publish("t"); err != nil {
		t.Fatal("publishing nothing:", err)
	}
}

func TestPublishTooLarge(t *testing.T) {
	j, q := start(t, Options{})
	err := q.Publish("t", message.NewMessage("1", nil), message.NewMessage("2", make([]byte, maxMessage)))
	if !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if n := pending(t, j, "t"); n != 0 {
		t.Fatalf("%d pending of a publication that was refused", n)
	}
}

// What is not an encoded message reaches the handler as it is: it can give it
// up, and the lane goes on.
func TestForeignPayloadInThePublishedLane(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, journal.Item{Topic: "t", Lane: publishedLane, Payload: []byte("\x02foreign")})
	if err := q.Publish("t", message.NewMessage("next", nil)); err != nil {
		t.Fatal(err)
	}
	c := subscribe(t, q, "t")
	expect(t, c, "\x02foreign").Ack()
	if m := expect(t, c, ""); m.UUID != "next" {
		t.Fatalf("UUID %q", m.UUID)
	}
}

func TestSlotsNormal(t *testing.T) {
	for _, c := range []struct{ in, want Slots }{
		{Slots{}, Slots{Lanes: 1, Total: 64, Hold: DefaultHold}},
		{Slots{Lanes: 2, Urgent: 5, Total: 1, Hold: 1}, Slots{Lanes: 2, Urgent: 1, Total: 1, Hold: 1}},
		{Slots{Lanes: -1, Urgent: -1}, Slots{Lanes: 1, Total: 64, Hold: DefaultHold}},
	} {
		got := c.in.normal()
		if got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.in, got, c.want)
		}
		if got.ordinary() < 1 {
			t.Errorf("%+v leaves nothing to what is not urgent", c.in)
		}
	}
}
