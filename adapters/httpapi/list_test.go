package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

type listed struct {
	Items []message
	Next  string `json:"next_cursor"`
}

func (l listed) ids() (ids []string) {
	for _, m := range l.Items {
		ids = append(ids, m.ID)
	}
	return ids
}

// A box is walked page by page, in order, each pli once; every filter keeps
// what it says.
func TestPagesAndFilters(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	var sent []string
	threads := map[string][]string{}
	thread := ""
	for i := range 7 {
		if e.Urgency = "U1"; i%3 == 0 {
			e.Urgency = "U0"
		}
		e.Thread = ""
		if i%2 == 1 {
			e.Thread = thread
		}
		r := tn.send(ase, fmt.Sprint("k", i), e, pdf)
		thread = r.Thread
		sent = append(sent, r.ID)
		threads[r.Thread] = append(threads[r.Thread], r.ID)
		time.Sleep(2 * time.Millisecond) // ids of one millisecond have no order
	}
	for _, id := range sent {
		tn.reaches(ase, id, parquet, broker.Consigned)
	}
	get := func(p broker.PartyID, query string) (l listed) {
		t.Helper()
		tn.get(p, "/v1/messages?"+query).into(t, 200, &l)
		return l
	}
	for p, box := range map[broker.PartyID]string{ase: "sent", parquet: "received"} {
		var walked []string
		cursor := ""
		for pages := 0; pages < 10; pages++ {
			query := "limit=3&box=" + box
			if cursor != "" {
				query += "&cursor=" + url.QueryEscape(cursor)
			}
			l := get(p, query)
			walked = append(walked, l.ids()...)
			if cursor = l.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(walked, sent) {
			t.Errorf("%s: walked %v, want %v", box, walked, sent)
		}
	}
	if got := get(parquet, "urgency=U0").ids(); !slices.Equal(got, []string{sent[0], sent[3], sent[6]}) {
		t.Errorf("U0: %v", got)
	}
	if got := get(parquet, "from=je-lille").ids(); len(got) != 0 {
		t.Errorf("from somebody else: %v", got)
	}
	for id, want := range threads {
		if got := get(parquet, "thread="+id).ids(); !slices.Equal(got, want) {
			t.Errorf("a thread: %v, want %v", got, want)
		}
	}
	if got := get(parquet, "since="+url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))).ids(); len(got) != 0 {
		t.Errorf("since tomorrow: %v", got)
	}
	if got := get(parquet, "since="+url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))).ids(); len(got) != 7 {
		t.Errorf("since an hour: %v", got)
	}
	tn.act(parquet, sent[1], map[string]any{"event": "taken_in_charge"})
	tn.reaches(ase, sent[1], parquet, broker.TakenInCharge)
	for p, box := range map[broker.PartyID]string{ase: "sent", parquet: "received"} {
		if got := get(p, "waiting=true&box="+box).ids(); len(got) != 6 || slices.Contains(got, sent[1]) {
			t.Errorf("%s waiting: %v", box, got)
		}
	}
	if got := get(juge, "").ids(); len(got) != 0 {
		t.Errorf("another party of the same broker sees %v", got)
	}
	if a := tn.get(ase, "/v1/messages?box=sent&cursor="+httpapi.Cursor("received", sent[0])); a.status != 400 {
		t.Errorf("the cursor of another box: %d", a.status)
	}
}

// The first id of a time is after the ids drawn before, and before those after.
func TestFirstID(t *testing.T) {
	at := time.Date(2026, 11, 20, 22, 41, 7, 123e6, time.UTC)
	if id := httpapi.FirstID(at); !httpapi.IsID(id) || id <= httpapi.FirstID(at.Add(-time.Millisecond)) {
		t.Errorf("%s", id)
	}
	if httpapi.FirstID(time.Unix(-5, 0)) != "00000000-0000-7000-8000-000000000000" {
		t.Error("before 1970")
	}
}
