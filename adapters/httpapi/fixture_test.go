package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
	juge    = broker.PartyID("je-lille")
)

func homeOf(p broker.PartyID) broker.BrokerID {
	if p == ase {
		return nord
	}
	return justice
}

// town is two brokers on real journals and keys, each with its API on a real
// socket, and the tokens of a software of each party.
type town struct {
	*wiring.World
	t       testing.TB
	apis    map[broker.BrokerID]*httpapi.API
	servers map[broker.BrokerID]*httptest.Server
	secrets map[broker.PartyID]string // of tokens with every right
	logs    *logBook
}

// logBook is a log that many write and a test reads.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newTown makes and runs the town; change may alter the options of an API.
func newTown(t testing.TB, change func(*httpapi.Options)) *town {
	t.Helper()
	return newTownWith(t, nil, change)
}

// newTownWith is newTown where something stands between a broker and its keys.
func newTownWith(t testing.TB, keys func(broker.BrokerID, broker.Keys) broker.Keys, change func(*httpapi.Options)) *town {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tn := &town{
		t: t, apis: map[broker.BrokerID]*httpapi.API{}, servers: map[broker.BrokerID]*httptest.Server{},
		secrets: map[broker.PartyID]string{}, logs: &logBook{},
	}
	log := slog.New(slog.NewJSONHandler(tn.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	brokers, parties := wiring.Lille()
	var err error
	if tn.World, err = wiring.Make(ctx, wiring.Plan{Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Log: log, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	t.Cleanup(func() {
		for _, s := range tn.servers {
			s.Close()
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := tn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for id, n := range tn.Nodes {
		o := httpapi.Options{
			Broker: n.Broker, Tokens: n.Broker, Log: log, Rate: 1e6, Burst: 1e6,
			Export: httpapi.Exporter(n.Broker, filepath.Join(tn.Dir(id), "tmp")),
		}
		if change != nil {
			change(&o)
		}
		tn.apis[id] = httpapi.New(o)
		tn.servers[id] = serve(httpapi.Server(tn.apis[id].Public(), nil, log))
	}
	for _, p := range []broker.PartyID{ase, parquet, juge} {
		tn.secrets[p] = tn.token(p, broker.Rights()...)
	}
	return tn
}

func serve(config *http.Server) *httptest.Server {
	s := httptest.NewUnstartedServer(nil)
	s.Config = config
	s.Start()
	return s
}

func (tn *town) at(p broker.PartyID) *broker.Broker { return tn.Nodes[homeOf(p)].Broker }

// token gives an application of a party some rights.
func (tn *town) token(p broker.PartyID, rights ...broker.Right) string {
	tn.t.Helper()
	secret, digest, hint, err := httpapi.NewToken(rand.Reader)
	if err != nil {
		tn.t.Fatal(err)
	}
	_, err = tn.at(p).AddToken(context.Background(), broker.Token{Digest: digest, Hint: hint, Application: "logiciel-" + string(p), Party: p, Rights: rights})
	if err != nil {
		tn.t.Fatal(err)
	}
	return secret
}

// request is one call.
type request struct {
	method, path string
	token        string
	header       map[string]string
	body         io.Reader
	size         int64 // of body, when it is no buffer
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) code(t testing.TB) string {
	t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("status %d: not a problem: %v", a.status, err)
	}
	return p.Code
}

// into decodes the answer, which must have that status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatal(err)
	}
}

// call sends a request to a server and holds the answer to the description.
func call(t testing.TB, s *httptest.Server, q request) answer {
	t.Helper()
	r, err := http.NewRequest(q.method, s.URL+q.path, q.body)
	if err != nil {
		t.Fatal(err)
	}
	if q.size > 0 {
		r.ContentLength = q.size
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, body}
	described(t, q.method, q.path, a)
	return a
}

// as calls the API of the home of a party with its token.
func (tn *town) as(p broker.PartyID, q request) answer {
	tn.t.Helper()
	if q.token == "" {
		q.token = tn.secrets[p]
	}
	return call(tn.t, tn.servers[homeOf(p)], q)
}

func (tn *town) get(p broker.PartyID, path string) answer {
	tn.t.Helper()
	return tn.as(p, request{method: "GET", path: path})
}

// envelope is the JSON of a message.
type envelope struct {
	Kind     string          `json:"kind"`
	To       []string        `json:"to"`
	Cc       []string        `json:"cc,omitempty"`
	Urgency  string          `json:"urgency,omitempty"`
	Thread   string          `json:"thread,omitempty"`
	ReplyTo  string          `json:"in_reply_to,omitempty"`
	Actor    broker.Actor    `json:"actor"`
	Document json.RawMessage `json:"document"`
}

// form makes the body of a submission.
func form(t testing.TB, e any, pieces ...[]byte) (body *bytes.Buffer, ctype string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}, "Content-Type": {"application/json"}}
	part, err := w.CreatePart(h)
	if err == nil {
		_, err = part.Write(text)
	}
	for i, b := range pieces {
		if err == nil {
			part, err = w.CreateFormFile("piece", "fichier-"+strconv.Itoa(i)+".pdf")
		}
		if err == nil {
			_, err = part.Write(b)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

// receipt is the answer to a submission.
type receipt struct {
	ID           string `json:"id"`
	Thread       string `json:"thread"`
	HeaderSHA256 string `json:"header_sha256"`
	Deposit      []byte `json:"deposit"`
	DepositSig   string `json:"deposit_sig"`
	Reserves     []any  `json:"reserves"`
	Repeated     bool   `json:"repeated"`
}

// send submits for a party, as a form, and wants it accepted.
func (tn *town) send(p broker.PartyID, key string, e envelope, pieces ...[]byte) receipt {
	tn.t.Helper()
	body, ctype := form(tn.t, e, pieces...)
	a := tn.as(p, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": key}})
	var r receipt
	a.into(tn.t, http.StatusCreated, &r)
	return r
}

func paper(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../cmd/vaguemestre/papers", name))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) != ".json" {
		return b
	}
	var compact bytes.Buffer // as encoding/json writes a RawMessage
	if err := json.Compact(&compact, b); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

// alert is a signalement of the demonstration, with its one piece.
func alert(t testing.TB) (envelope, []byte) {
	return envelope{
		Kind: "signalement", To: []string{string(parquet)}, Urgency: "U0",
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Document: paper(t, "06-signalement-sans-reponse.json"),
	}, []byte("%PDF-1.4 note d'astreinte fictive\n")
}

// message is what the API tells of one pli.
type message struct {
	ID      string `json:"id"`
	Box     string `json:"box"`
	From    string `json:"from"`
	Waiting bool   `json:"waiting"`
	States  []struct {
		Recipient string   `json:"recipient"`
		Progress  string   `json:"progress"`
		Acted     bool     `json:"acted"`
		Flags     []string `json:"flags"`
	} `json:"states"`
	Evidences []struct {
		Event     string `json:"event"`
		Recipient string `json:"recipient"`
	} `json:"evidences"`
	Deadlines []struct {
		Due string `json:"due"`
	} `json:"deadlines"`
}

func (m message) progress(p broker.PartyID) string {
	for _, s := range m.States {
		if s.Recipient == string(p) {
			return s.Progress
		}
	}
	return ""
}

// reaches waits until a party sees that a pair has come that far.
func (tn *town) reaches(as broker.PartyID, id string, recipient broker.PartyID, event broker.Event) {
	tn.t.Helper()
	eventually(tn.t, string(event), func() bool {
		a := tn.get(as, "/v1/messages/"+id)
		var m message
		return a.status == http.StatusOK && json.Unmarshal(a.body, &m) == nil && m.progress(recipient) == string(event)
	})
}

// quiet waits until nothing is left to carry: no event comes by itself then.
func (tn *town) quiet() {
	tn.t.Helper()
	eventually(tn.t, "the end of deliveries", func() bool {
		left := 0
		for _, n := range tn.Nodes {
			err := n.Journal.View(func(v journal.View) error {
				left += v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence)
				return nil
			})
			if err != nil {
				tn.t.Fatal(err)
			}
		}
		return left == 0
	})
}

// eventually waits for something that the brokers do by themselves.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(3 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}

// jsonBody is a small JSON body.
func jsonBody(t testing.TB, v any) *strings.Reader {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(text))
}
