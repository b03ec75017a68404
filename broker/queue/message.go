package queue

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"vaguemestre/broker/journal"
)

// publishedLane is the one lane of what enters a topic through Publish; it also
// tells that the payload is an encoded message. Reserved: no Batch uses it.
const publishedLane = "queue/published"

// itemsPerEvent is what the number of an item leaves room for (journal.Item).
const itemsPerEvent = 256

// maxMessage is the largest encoded message, in bytes: the queue carries
// references, bodies live in the body store.
const maxMessage = 1 << 20

// version is the first byte of an encoded message.
const version = 1

// ErrTooLarge refuses to publish a message above 1 MiB, metadata included.
var ErrTooLarge = errors.New("queue: message too large")

// errMalformed refuses bytes that encode would not have made.
var errMalformed = errors.New("queue: malformed message")

// encode writes a message as the payload of an item:
//
//	version    1 byte, 1
//	uuid       text
//	count      uvarint, number of metadata entries
//	entries    key text, value text; keys strictly ascending bytewise
//	payload    the rest
//
// where a text is its length in bytes as a shortest uvarint, then its bytes.
func encode(m *message.Message) ([]byte, error) {
	keys := make([]string, 0, len(m.Metadata))
	size := 1 + 2*binary.MaxVarintLen64 + len(m.UUID) + len(m.Payload)
	for k, v := range m.Metadata {
		keys = append(keys, k)
		size += 2*binary.MaxVarintLen64 + len(k) + len(v)
	}
	if size > maxMessage {
		return nil, ErrTooLarge
	}
	slices.Sort(keys)
	b := append(make([]byte, 0, size), version)
	b = appendText(b, m.UUID)
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		b = appendText(b, k)
		b = appendText(b, m.Metadata[k])
	}
	return append(b, m.Payload...), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads what encode wrote, and nothing else: what it accepts encodes to
// the same bytes.
func decode(b []byte) (*message.Message, error) {
	if len(b) == 0 || len(b) > maxMessage || b[0] != version {
		return nil, errMalformed
	}
	uuid, b, ok := cutText(b[1:])
	if !ok {
		return nil, errMalformed
	}
	count, b, ok := cutUvarint(b)
	if !ok || count > uint64(len(b))/2 { // an entry takes two bytes at least
		return nil, errMalformed
	}
	metadata := make(message.Metadata, count)
	last := ""
	for i := range count {
		var key, value string
		if key, b, ok = cutText(b); !ok || i > 0 && key <= last {
			return nil, errMalformed
		}
		if value, b, ok = cutText(b); !ok {
			return nil, errMalformed
		}
		metadata[key], last = value, key
	}
	m := message.NewMessage(uuid, b)
	m.Metadata = metadata
	return m, nil
}

func cutText(b []byte) (text string, rest []byte, ok bool) {
	n, b, ok := cutUvarint(b)
	if !ok || n > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

func cutUvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 { // truncated, overflowing, or not the shortest
		return 0, nil, false
	}
	return v, b[n:], true
}

// publication is the Batch that publishes messages: as few events as the
// numbering of items allows.
func publication(topic string, now time.Time, messages []*message.Message) (journal.Batch, error) {
	var batch journal.Batch
	for chunk := range slices.Chunk(messages, itemsPerEvent) {
		event := journal.Event{Type: journal.TypePublished, At: now}
		for _, m := range chunk {
			payload, err := encode(m)
			if err != nil {
				return journal.Batch{}, err
			}
			event.Enqueue = append(event.Enqueue, journal.Item{Topic: topic, Lane: publishedLane, Payload: payload})
		}
		batch.Events = append(batch.Events, event)
	}
	return batch, nil
}

// received is the message that carries an item. Its own number stands for the
// correlation id where none was given, so that whatever a handler publishes
// can be traced back to it.
func received(it journal.Item) *message.Message {
	var m *message.Message
	if it.Lane == publishedLane {
		// A payload that is not ours is handed over as it is: a handler can
		// give it up, the queue could only block on it.
		m, _ = decode(it.Payload)
	}
	id := "item-" + hex.EncodeToString(binary.BigEndian.AppendUint64(nil, it.Seq))
	if m == nil {
		m = message.NewMessage(id, it.Payload)
	}
	middleware.SetCorrelationID(id, m)
	return m
}

type itemKey struct{}

// ItemOf returns the item behind a received message, as it was when it was
// delivered; its Payload is the stored one. False for any other message, and
// for a copy made without its context.
func ItemOf(msg *message.Message) (journal.Item, bool) {
	it, ok := msg.Context().Value(itemKey{}).(journal.Item)
	return it, ok
}

func withItem(ctx context.Context, it journal.Item) context.Context {
	return context.WithValue(ctx, itemKey{}, it)
}
