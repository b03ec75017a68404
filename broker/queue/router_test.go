package queue

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// syncBuffer is a log that many goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// everything logs all that Watermill says, at every level.
func everything(w io.Writer) watermill.LoggerAdapter {
	return &watermill.StdLoggerAdapter{
		ErrorLogger: log.New(w, "", 0), InfoLogger: log.New(w, "", 0),
		DebugLogger: log.New(w, "", 0), TraceLogger: log.New(w, "", 0),
	}
}

// A handler that panics is nacked, the item comes back, and the logs of the
// queue and of the router show neither the payload nor the panic's value.
func TestRouterRedeliversAfterAPanic(t *testing.T) {
	const canary = "CANARI-Zoe-Exemple"
	var logs syncBuffer
	j, q := start(t, Options{Logger: everything(&logs)})
	r, err := NewRouter(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	h := q.Handle()
	r.AddHandler("carrier", "plis", h, "traces", h, func(m *message.Message) ([]*message.Message, error) {
		switch calls.Add(1) {
		case 1:
			panic(errors.New(string(m.Payload)))
		case 2:
			panic(m)
		case 3: // what cannot be published is nacked too
			return []*message.Message{message.NewMessage("big", bytes.Repeat(m.Payload, maxMessage))}, nil
		}
		return []*message.Message{message.NewMessage("trace", m.Payload)}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	enqueue(t, j, item("plis", "a", "l", canary))
	m := expect(t, subscribe(t, q, "traces"), canary)
	m.Ack()
	if id := middleware.MessageCorrelationID(m); !strings.HasPrefix(id, "item-") {
		t.Errorf("correlation id %q", id)
	}
	eventually(t, "the item is settled", func() bool { return pending(t, j, "plis") == 0 })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	text := logs.String()
	if !strings.Contains(text, "panic with a *errors.errorString") || !strings.Contains(text, "router_test.go") {
		t.Error("the log does not say that and where the handler panicked")
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:12], "Zoe"} {
		if strings.Contains(text, form) {
			t.Errorf("the log shows %q", form)
		}
	}
	// The handle that the router closed was that of the handler only.
	if err := q.Publish("plis", message.NewMessage("1", nil)); err != nil {
		t.Error(err)
	}
}
