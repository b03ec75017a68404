package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// still is a broker where nothing happens after the first look: it answers the
// wait for a change when told to.
type still struct {
	lists int      // lists that were asked for
	waits []string // sizes that a change was waited from
	ended func()   // called at the third wait
}

func (s *still) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"items":[]}`
	if strings.HasSuffix(r.URL.Path, "/journal/changes") {
		s.waits = append(s.waits, r.URL.Query().Get("after"))
		body = `{"size":7}`
		if len(s.waits) == 3 {
			s.ended()
		}
	} else {
		s.lists++
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// A watcher looks at the boxes once, and again only when the journal grew: it
// does not fill the log of a broker where nothing happens.
func TestWatchIsQuiet(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &still{ended: cancel}
	var talk bytes.Buffer
	m := &mailbox{client: &client{http: &http.Client{Transport: s}}, party: "parquet-lille"}
	if err := (&terminal{out: io.Discard, talk: &talk}).watch(ctx, m); err != nil {
		t.Fatal(err)
	}
	if s.lists != 2 || len(s.waits) != 3 || s.waits[1] != "7" || s.waits[2] != "7" || !strings.Contains(talk.String(), "Watching 0 received and 0 sent") {
		t.Errorf("%d lists, waits %v, said %q", s.lists, s.waits, talk.String())
	}
}
