package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrCheckpoint says that bytes are not the text of a checkpoint.
var ErrCheckpoint = errors.New("journal: not a checkpoint")

// Checkpoint is the text that the broker signs: origin, size and base64 root,
// three lines (C2SP tlog-checkpoint, without extensions).
func (h Head) Checkpoint() []byte {
	b := make([]byte, 0, len(h.Origin)+80)
	b = append(b, h.Origin...)
	b = append(b, '\n')
	b = strconv.AppendUint(b, h.Size, 10)
	b = append(b, '\n')
	b = base64.StdEncoding.AppendEncode(b, h.Root[:])
	return append(b, '\n')
}

// ParseCheckpoint reads the text of a checkpoint. Whatever Checkpoint would
// not write is ErrCheckpoint.
func ParseCheckpoint(text []byte) (Head, error) {
	lines := strings.Split(string(text), "\n")
	if len(text) > 1024 || len(lines) != 4 {
		return Head{}, ErrCheckpoint
	}
	var h Head
	var err error
	h.Origin = lines[0]
	if h.Broker, err = originBroker(h.Origin); err != nil {
		return Head{}, err
	}
	if h.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return Head{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(h.Root) {
		return Head{}, ErrCheckpoint
	}
	h.Root = [32]byte(root)
	if !bytes.Equal(h.Checkpoint(), text) {
		return Head{}, ErrCheckpoint
	}
	return h, nil
}

// NewOrigin names a new log of a broker with 16 fresh random bytes.
func NewOrigin(broker string, random [16]byte) (string, error) {
	origin := broker + "/log/" + hex.EncodeToString(random[:])
	if _, err := originBroker(origin); err != nil {
		return "", invalid("Broker", "lower-case ASCII letters, digits, - . _ only, 1 to 100")
	}
	return origin, nil
}

func originBroker(origin string) (string, error) {
	broker, id, ok := strings.Cut(origin, "/log/")
	if !ok || broker == "" || len(broker) > 100 || len(id) != 32 || !isHex64(id+id) {
		return "", ErrCheckpoint
	}
	for i := range len(broker) {
		c := broker[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return "", ErrCheckpoint
		}
	}
	return broker, nil
}

// FirstEvent is event 0 of a log. previous is the head of the log that it
// follows, nil when there is none.
func FirstEvent(at time.Time, previous *Head) Event {
	e := Event{Type: TypeLog, At: at}
	if previous != nil {
		text := previous.Checkpoint()
		sum := sha256.Sum256(text)
		e.Digest = hex.EncodeToString(sum[:])
		e.Objects = [][]byte{text}
	}
	return e
}
