package load

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
)

// script has wrk send a fresh message each time: a document of the size that
// `bench` sends, as JSON, under a fresh key.
const script = `
local n, threads = 0, 0 -- "me" is given to each thread by setup
function setup(thread)
  threads = threads + 1
  thread:set("me", threads)
end
function request()
  n = n + 1
  return wrk.format("POST", "/v1/messages", {
    ["Authorization"] = "Bearer %s", ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = "outil-" .. me .. "-" .. n }, [[%s]])
end
`

// compared is the record of a load by a third-party tool beside bench.
type compared struct {
	runs.Head
	Tool       float64 `json:"tool_requests_per_s"`      // answers 201 to wrk, while deliveries go on behind
	Complete   float64 `json:"tool_exchanges_per_s"`     // the same messages until the last is consigned
	BenchPerS  float64 `json:"bench_exchanges_per_s"`    // with as many submitters, right after
	BenchBound float64 `json:"bench_cryptography_per_s"` // its bound
	Accepted   float64 `json:"accepted"`
	Consigned  float64 `json:"consigned"`
	Other      int     `json:"other_answers"`
}

// TestThirdPartyTool loads POST /v1/messages with wrk, and prints its figure
// beside that of bench.
func TestThirdPartyTool(t *testing.T) {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wrk is absent (Debian package wrk)")
		}
		t.Skip("wrk is absent (Debian package wrk)")
	}
	seconds := runs.Number(t, "VAGUEMESTRE_SECONDS", 2)
	s := serve(t, build(t))
	body, _ := letter(1)
	lua := filepath.Join(t.TempDir(), "post.lua")
	if err := os.WriteFile(lua, fmt.Appendf(nil, script, s.tokens[served.ASE], body), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out, err := exec.CommandContext(t.Context(), wrk, "--threads", "2", "--connections", strconv.Itoa(connections), "--duration", strconv.Itoa(seconds)+"s",
		"--timeout", "30s", "--script", lua, "http://"+s.p.API()).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	var c compared
	c.Tool = figure(out, `Requests/sec:\s+([0-9.]+)`)
	c.Other = int(figure(out, `Non-2xx or 3xx responses: (\d+)`))
	m := s.idle(t, patience)
	took := time.Since(began)
	c.Accepted, c.Consigned = m[`vaguemestre_events_total{type="accepted"}`], m[`vaguemestre_events_total{type="consigned"}`]
	c.Complete = c.Consigned / took.Seconds()
	s.stop(t)
	// Fewer than the answers: some repeated a key, and were receipts of before.
	if c.Other > 0 || c.Accepted == 0 || c.Consigned != c.Accepted || c.Accepted < figure(out, `(\d+) requests in`) {
		t.Errorf("%d other answers, %v accepted, %v consigned\n%s", c.Other, c.Accepted, c.Consigned, out)
	}
	c.bench(t, s, seconds)
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	c.Head, err = runs.NewHead(root, fmt.Sprintf("VAGUEMESTRE_SECONDS=%d go test ./broker/internal/load -run TestThirdPartyTool -v", seconds), 0, time.Since(began))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("wrk, %d connections: %.0f/s answered 201, %.0f/s until consigned; bench, %d submitters: %.0f/s (its bound %.0f/s)",
		connections, c.Tool, c.Complete, connections, c.BenchPerS, c.BenchBound)
	runs.Keep(t, sabotage.Root, "tool", c.Date, c)
}

// bench runs the program's own measurement.
func (c *compared) bench(t *testing.T, s *site, seconds int) {
	t.Helper()
	out, err := s.Call(t.Context(), "bench", "--seconds", strconv.Itoa(seconds), "--json")
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Bound float64 `json:"bound_per_s"`
		Runs  []struct {
			Submitters int     `json:"submitters"`
			PerS       float64 `json:"per_s"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatal(err)
	}
	c.BenchBound = b.Bound
	for _, r := range b.Runs {
		if r.Submitters == connections {
			c.BenchPerS = r.PerS
		}
	}
}

// figure finds a number in what a tool said; 0 when it is not there.
func figure(out []byte, pattern string) float64 {
	m := regexp.MustCompile(pattern).FindStringSubmatch(string(out))
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(m[1]), 64)
	if err != nil {
		return 0
	}
	return v
}
