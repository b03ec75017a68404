package killserve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"vaguemestre/broker/internal/served"
)

// crowd is the clients of one broker, which dies and comes back.
type crowd struct {
	house  *served.House
	tokens map[string]string // by party
	book   *ledger
	work   string // folder of the files that the commands send and write
	// patience is for whatever must come in the end.
	patience time.Duration
	http     *http.Client

	mu    sync.Mutex
	alive *served.Process // nil between two lives; guarded by mu
	born  chan struct{}   // closed when alive is set again; guarded by mu

	letters atomic.Int64 // number of the last letter
	over    atomic.Bool  // no new letter
	counts
}

// counts is what the crowd has done.
type counts struct {
	requests, commands, lost, again, repeated, doubled, cut, killedCommands atomic.Int64
}

func newCrowd(h *served.House, tokens map[string]string, patience time.Duration) *crowd {
	// Every request has a connection of its own: one that is kept could be
	// repeated by the library, and what is repeated is to be counted.
	t := &http.Transport{DisableKeepAlives: true}
	return &crowd{
		house: h, tokens: tokens, book: newLedger(), patience: patience, born: make(chan struct{}),
		http: &http.Client{Transport: t, Timeout: patience}, work: h.Data + "-clients",
	}
}

// watch makes a process the one that is asked, for as long as it lives.
func (c *crowd) watch(p *served.Process) {
	select {
	case <-p.Ready:
	case <-p.Gone:
		return
	}
	c.mu.Lock()
	c.alive = p
	close(c.born)
	c.mu.Unlock()
	<-p.Gone
	c.mu.Lock()
	c.alive, c.born = nil, make(chan struct{})
	c.mu.Unlock()
}

// life is the process that lives, once one does.
func (c *crowd) life() *served.Process {
	for {
		c.mu.Lock()
		p, born := c.alive, c.born
		c.mu.Unlock()
		if p != nil {
			return p
		}
		<-born
	}
}

// request is one call of the API.
type request struct {
	what   string // for the faults
	party  string
	method string
	path   string
	key    string
	ctype  string
	accept string
	body   []byte
	slow   time.Duration // between two pieces of the body
	absent bool          // what is asked may not be there yet
}

// answer is what came.
type answer struct {
	status int
	head   http.Header
	body   []byte
}

// ask sends a request once. answered is false when no whole answer came.
func (c *crowd) ask(ctx context.Context, q request) (a answer, answered bool) {
	p := c.life()
	c.requests.Add(1)
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
		if q.slow > 0 {
			body = &slowly{b: q.body, pause: q.slow}
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.method, "http://"+p.API()+q.path, body)
	if err != nil {
		c.book.fault(broken, "%s: %v", q.what, err)
		return a, false
	}
	r.ContentLength = int64(len(q.body))
	r.Header.Set("Authorization", "Bearer "+c.tokens[q.party])
	for name, v := range map[string]string{"Idempotency-Key": q.key, "Content-Type": q.ctype, "Accept": q.accept} {
		if v != "" {
			r.Header.Set(name, v)
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return a, false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err == nil
}

// slowly is an upload on a slow line.
type slowly struct {
	b     []byte
	pause time.Duration
	at    int
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.at == len(s.b) {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	n := copy(b, s.b[s.at:min(len(s.b), s.at+max(1, len(s.b)/8))])
	s.at += n
	return n, nil
}

// insist repeats a request until it is answered for good.
func (c *crowd) insist(q request) (answer, bool) {
	for deadline := time.Now().Add(c.patience); time.Now().Before(deadline); {
		a, answered := c.ask(context.Background(), q)
		switch {
		case !answered:
			c.lost.Add(1)
			deadline = time.Now().Add(c.patience)
			time.Sleep(2 * time.Millisecond) // until its death is known
		case a.status/100 == 2:
			return a, true
		case a.status == http.StatusServiceUnavailable, q.absent && (a.status == http.StatusNotFound || code(a) == "message_not_ready"):
			c.again.Add(1)
			time.Sleep(5 * time.Millisecond)
		default:
			c.book.fault(broken, "%s is answered %d %s", q.what, a.status, code(a))
			return a, false
		}
	}
	c.book.fault(silent, "%s is never answered", q.what)
	return answer{}, false
}

func code(a answer) string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p) // "" for what is no problem
	return p.Code
}

// into reads the JSON of an answer.
func (c *crowd) into(what string, a answer, v any) bool {
	if err := json.Unmarshal(a.body, v); err != nil {
		c.book.fault(broken, "%s: the answer is no JSON: %v", what, err)
		return false
	}
	return true
}

// byHTTP is a client that files, reads and acts over HTTP.
func (c *crowd) byHTTP(draw *rand.Rand) {
	for !c.over.Load() {
		l := newLetter(int(c.letters.Add(1)))
		id := c.submit(draw, l)
		if id == "" {
			continue
		}
		for _, p := range l.recipients() {
			if !c.receives(draw, l, id, p) {
				break // it would wait for each thing in turn
			}
		}
		if e := c.book.any(draw); e != nil {
			c.lookBack(draw, e)
		}
	}
}

// submit deposits a letter, now and then twice at once, cut off or slowly.
func (c *crowd) submit(draw *rand.Rand, l letter) string {
	body, ctype := l.body()
	q := request{what: fmt.Sprintf("the deposit of letter %d", l.number), party: l.from, method: "POST", path: "/v1/messages", key: l.key(), ctype: ctype, body: body}
	if draw.IntN(6) == 0 {
		q.slow = time.Duration(1+draw.IntN(12)) * time.Millisecond
	}
	switch draw.IntN(8) {
	case 0:
		c.twice(l, q, time.Duration(draw.IntN(5))*time.Millisecond)
	case 1: // it gives up, and asks again
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(draw.IntN(12))*time.Millisecond)
		if a, answered := c.ask(ctx, q); answered {
			c.deposited(l, a)
		}
		cancel()
		c.cut.Add(1)
	}
	id := ""
	for range 1 + draw.IntN(6)/5 { // the answer came, and the client forgot it
		a, ok := c.insist(q)
		if !ok {
			return ""
		}
		id = c.deposited(l, a)
	}
	return id
}

// twice sends one request two times at once, or nearly: an impatient client.
func (c *crowd) twice(l letter, q request, wait time.Duration) {
	c.doubled.Add(1)
	var done sync.WaitGroup
	for i := range 2 {
		done.Go(func() {
			time.Sleep(time.Duration(i) * wait)
			if a, answered := c.ask(context.Background(), q); answered {
				c.deposited(l, a)
			}
		})
	}
	done.Wait()
}

// deposited notes an answer to a submission, if it is a receipt.
func (c *crowd) deposited(l letter, a answer) string {
	var r receipt
	if a.status/100 != 2 || !c.into("a receipt", a, &r) {
		return ""
	}
	if r.Repeated != (a.status == http.StatusOK) {
		c.book.fault(differs, "letter %d: status %d of a receipt, repeated %v", l.number, a.status, r.Repeated)
	}
	if r.Repeated {
		c.repeated.Add(1)
	}
	c.book.accepted(l, r)
	return r.ID
}

// receives takes the document and some pieces as a recipient, and says its acts.
// It is false when something is never answered.
func (c *crowd) receives(draw *rand.Rand, l letter, id, party string) bool {
	if draw.IntN(4) > 0 {
		for n := range 1 + len(l.pieces) {
			if (n == 0 || draw.IntN(2) == 0) && !c.fetch(l, id, party, n) {
				return false
			}
		}
	}
	for _, a := range l.acts[party] {
		if !c.act(draw, l, id, party, a) {
			return false
		}
	}
	return true
}

// fetch takes one part, the document when n is 0, and compares it with what was
// sent. It is false when it is never answered.
func (c *crowd) fetch(l letter, id, party string, n int) bool {
	path, want := "/v1/messages/"+id+"/document", l.document
	if n > 0 {
		path, want = fmt.Sprintf("/v1/messages/%s/pieces/%d", id, n), l.pieces[n-1]
	}
	what := fmt.Sprintf("part %d of letter %d, read by %s", n, l.number, party)
	a, ok := c.insist(request{what: what, party: party, method: "GET", path: path, absent: true})
	if !ok {
		return false
	}
	if !bytes.Equal(a.body, want) {
		c.book.fault(differs, "%s: not what was sent", what)
	}
	c.book.fetched(l, party)
	return true
}

// act says an act, now and then more than once. It is false when it is never
// answered.
func (c *crowd) act(draw *rand.Rand, l letter, id, party string, said act) bool {
	body, err := json.Marshal(said)
	if err != nil {
		c.book.fault(broken, "an act: %v", err)
		return false
	}
	q := request{
		what: fmt.Sprintf("%s of letter %d by %s", said.Event, l.number, party), party: party, method: "POST",
		path: "/v1/messages/" + id + "/acts", ctype: "application/json", body: body, absent: true,
	}
	for range 1 + draw.IntN(5)/4 {
		var e evidence
		a, ok := c.insist(q)
		if !ok || !c.into(q.what, a, &e) {
			return false
		}
		c.book.acted(l, party, said.Event, e)
	}
	return true
}

// lookBack looks at a letter of before: whatever died since, it is there.
func (c *crowd) lookBack(draw *rand.Rand, e *entry) {
	l, id := e.letter, e.id()
	if p := l.recipients()[draw.IntN(len(l.recipients()))]; draw.IntN(2) == 0 {
		c.fetch(l, id, p, draw.IntN(1+len(l.pieces)))
		return
	}
	what := fmt.Sprintf("the state of letter %d", l.number)
	if a, answered := c.ask(context.Background(), request{what: what, party: l.from, method: "GET", path: "/v1/messages/" + id}); answered && a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
		c.book.fault(lost, "%s is answered %d %s", what, a.status, code(a))
	}
}

// list goes through a whole box, as pages come.
func (c *crowd) list(party, box string) (ids []string) {
	for cursor := ""; ; {
		path := "/v1/messages?limit=200&box=" + box
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		what := "the list " + box + " of " + party
		a, ok := c.insist(request{what: what, party: party, method: "GET", path: path})
		var page struct {
			Items []struct{ ID string }
			Next  string `json:"next_cursor"`
		}
		if !ok || !c.into(what, a, &page) {
			return ids
		}
		for _, it := range page.Items {
			ids = append(ids, it.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

// clean erases what the commands worked with.
func (c *crowd) clean() error { return os.RemoveAll(c.work) }
