package export_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/crypto/keyring"
)

// forger holds an export that is true, and every private key: each case says
// whose it uses. What follows from a change is made again, so that only the
// rule in question can refuse.
type forger struct {
	t     *testing.T
	keys  *keyring.Ring
	files map[string][]byte
	by    broker.BrokerID // exports
	place map[int]uint64  // leaf number of leaf/NN
	size  uint64
	at    time.Time // of the export
}

func newForger(t *testing.T, w *world, dir string, by broker.BrokerID) *forger {
	t.Helper()
	f := &forger{t: t, keys: w.all, files: map[string][]byte{}, by: by, place: map[int]uint64{}, at: w.clock()}
	for _, name := range files(t, dir) {
		f.files[name] = read(t, dir, name)
	}
	for i := 0; f.files[leafPath(i)] != nil; i++ {
		f.place[i] = f.leaf(i).N
		f.size = max(f.size, f.place[i]+1)
	}
	return f
}

func leafPath(i int) string { return fmt.Sprintf("leaf/%02d.json", i) }

func (f *forger) leaf(i int) journal.Leaf {
	f.t.Helper()
	l, err := journal.ParseLeaf(f.files[leafPath(i)])
	if err != nil {
		f.t.Fatal(err)
	}
	return l
}

func (f *forger) header() broker.Header {
	f.t.Helper()
	h, err := broker.ParseHeader(f.files["header.json"])
	if err != nil {
		f.t.Fatal(err)
	}
	return h
}

// file finds the one file whose name holds this.
func (f *forger) file(part string) string {
	f.t.Helper()
	for name := range f.files {
		if strings.Contains(name, part) {
			return name
		}
	}
	f.t.Fatalf("no file %s", part)
	return ""
}

func (f *forger) sign(name, owner string, at time.Time) {
	f.t.Helper()
	sig, _, err := f.keys.Sign(context.Background(), owner, f.files[name], at)
	if err != nil {
		f.t.Fatal(err)
	}
	f.files[name+".asc"] = sig
}

// edit changes an evidence and signs it again, by its signer or another.
func (f *forger) edit(name, signer string, change func(*broker.Evidence)) {
	f.t.Helper()
	e, err := broker.ParseEvidence(f.files[name])
	if err != nil {
		f.t.Fatal(err)
	}
	change(&e)
	if signer == "" {
		signer = e.By
	}
	f.files[name] = e.Encode()
	f.sign(name, signer, e.SignedAt())
}

// add puts one more evidence at the end.
func (f *forger) add(e broker.Evidence, signer string) string {
	f.t.Helper()
	n := len(f.place)
	h := f.header()
	e.V, e.ID, e.HeaderSHA256 = 1, h.ID, broker.Digest(f.files["header.json"])
	if e.At == "" {
		e.At = broker.FormatTime(f.at)
	}
	e.Log = broker.LogHead{Broker: e.Home, Origin: string(e.Home) + "/log/" + strings.Repeat("ab", 16), Size: 1, Root: broker.Digest(nil)}
	to := string(e.Recipient)
	if to == "" {
		to = "all"
	}
	name := fmt.Sprintf("evidence/%02d-%s-%s.json", n, e.Event, to)
	f.files[name] = e.Encode()
	at, err := time.Parse(broker.TimeForm, e.At)
	if err != nil {
		f.t.Fatal(err)
	}
	f.sign(name, signer, at)
	f.place[n], f.size = f.size, f.size+1
	return name
}

// facts lists what each leaf is about, by number.
func (f *forger) facts() []string {
	out := []string{"header.json", "deposit.json"}
	for name := range f.files {
		if strings.HasPrefix(name, "evidence/") && strings.HasSuffix(name, ".json") {
			out = append(out, name)
		}
	}
	slices.Sort(out[2:])
	return out
}

// inscribe makes leaves, proof, checkpoint and list as the exporting broker
// would: it signs whatever it wants.
func (f *forger) inscribe() *forger {
	f.t.Helper()
	leaves := make([][]byte, f.size)
	for n := range leaves {
		leaves[n] = []byte(fmt.Sprintf("another leaf %d", n))
	}
	for i, name := range f.facts() {
		l := journal.Leaf{N: f.place[i], At: f.at, Type: "pli", Nonce: broker.Digest([]byte(name)), ID: f.header().ID, Digest: broker.Digest(f.files[name])}
		if i > 0 {
			var e broker.Evidence // as it is: some are made to be refused
			if err := json.Unmarshal(f.files[name], &e); err != nil {
				f.t.Fatal(err)
			}
			l.Type = string(e.Event)
		}
		f.files[leafPath(i)] = l.Append(nil)
		leaves[l.N] = f.files[leafPath(i)]
	}
	return f.prove(leaves).list()
}

// prove writes proof.json and the checkpoint over leaves.
func (f *forger) prove(leaves [][]byte) *forger {
	f.t.Helper()
	origin := string(f.by) + "/log/" + strings.Repeat("cd", 16)
	var list []string
	for i := range f.facts() {
		n := f.place[i]
		hash := journal.LeafHash(leaves[n])
		list = append(list, fmt.Sprintf(`{"leaf":"%x","n":%d,"path":[%s]}`, hash, n, quoted(auditPath(int(n), leaves))))
	}
	root := treeRoot(leaves)
	f.files["proof.json"] = fmt.Appendf(nil, `{"v":1,"broker":"%s","origin":"%s","size":%d,"root":"%x","leaves":[%s]}`, f.by, origin, len(leaves), root, strings.Join(list, ","))
	f.files["checkpoint.txt"] = journal.Head{Broker: string(f.by), Origin: origin, Size: uint64(len(leaves)), Root: root}.Checkpoint()
	f.sign("checkpoint.txt", string(f.by), f.at)
	return f
}

func (f *forger) list() *forger {
	f.t.Helper()
	var out strings.Builder
	names := make([]string, 0, len(f.files))
	for name := range f.files {
		if !strings.HasPrefix(name, "open/") && !strings.HasPrefix(name, "export.sha256") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&out, "%s  %s\n", broker.Digest(f.files[name]), name)
	}
	f.files["export.sha256"] = []byte(out.String())
	f.sign("export.sha256", string(f.by), f.at)
	return f
}

// write gives the folder.
func (f *forger) write() string {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), "forged")
	for name, b := range f.files {
		write(f.t, b, dir, name)
	}
	return dir
}

// The tree of RFC 6962 section 2.1, by its own recursive definition.
func treeRoot(leaves [][]byte) [32]byte {
	if len(leaves) == 1 {
		return journal.LeafHash(leaves[0])
	}
	k := split(len(leaves))
	return node(treeRoot(leaves[:k]), treeRoot(leaves[k:]))
}

func auditPath(m int, leaves [][]byte) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if m < k {
		return append(auditPath(m, leaves[:k]), treeRoot(leaves[k:]))
	}
	return append(auditPath(m-k, leaves[k:]), treeRoot(leaves[:k]))
}

func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func node(l, r [32]byte) [32]byte {
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func quoted(list [][32]byte) string {
	var out []string
	for _, h := range list {
		out = append(out, `"`+hex.EncodeToString(h[:])+`"`)
	}
	return strings.Join(out, ",")
}

// forgery is one case: who could do it, and what must refuse it.
type forgery struct {
	name, file, what string
	do               func(f *forger)
}

// runForgeries holds Verify to the first fault and, with script, verifier.sh to
// a refusal.
func runForgeries(t *testing.T, w *world, dir string, script bool, cases []forgery) {
	t.Helper()
	anchors := w.anchors()
	if _, err := verify(newForger(t, w, dir, nord).inscribe().write(), anchors); err != nil {
		t.Fatalf("made again without a forgery: %v", err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newForger(t, w, dir, nord)
			c.do(f)
			forged := f.write()
			_, err := verify(forged, anchors)
			wantFault(t, err, c.file, c.what)
			if script {
				scriptRefuses(t, forged, anchors)
			}
		})
	}
}
