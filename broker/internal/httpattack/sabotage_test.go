package httpattack

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// variants are programs without some limit. Those whose lack would hide one
// another are built apart.
var variants = []struct {
	name  string
	edits []sabotage.Edit
	run   string   // which of the tests
	red   []string // those that must fail
}{
	{
		name: "no limits",
		edits: []sabotage.Edit{
			{File: "adapters/httpapi/server.go", Old: "ReadHeaderTimeout: headerTimeout, ", New: ""},
			{File: "adapters/httpapi/server.go", Old: "MaxHeaderBytes: maxHeaderBytes,", New: "MaxHeaderBytes: 256 * maxHeaderBytes,"},
			{File: "adapters/httpapi/server.go", Old: "case len(r.TransferEncoding) > 0:", New: "case len(r.TransferEncoding) > 9:"},
			{File: "adapters/httpapi/server.go", Old: "case !slices.Contains(methods(), r.Method):", New: "case len(r.Method) > 99 && !slices.Contains(methods(), r.Method):"},
			{File: "adapters/httpapi/server.go", Old: "case !f.hosts(r):", New: "case f.hosts == nil:"},
			{File: "adapters/httpapi/server.go", Old: "refused != nil || !r.ProtoAtLeast(1, 1)", New: "!r.ProtoAtLeast(1, 0)"},
			{File: "adapters/httpapi/server.go", Old: `h.Set("Cross-Origin-Opener-Policy", "same-origin")`, New: ""},
			{File: "adapters/httpapi/progress.go", Old: "pace{stall: 15 * time.Second", New: "pace{stall: 15 * time.Hour"},
			{File: "adapters/httpapi/progress.go", Old: "window: 30 * time.Second", New: "window: 30 * time.Hour"},
			{File: "adapters/httpapi/caller.go", Old: "if err := count(a.strangers, Remote(x.r.RemoteAddr)); err != nil {", New: "if false {"},
			{File: "adapters/httpapi/caller.go", Old: "if err := count(a.limits, digest); err != nil {", New: "if err := error(nil); digest == t.Digest+t.Digest {"},
			{File: "adapters/httpapi/submit.go", Old: ` || len(r.Header.Values("Content-Encoding")) > 0`, New: ""},
			{File: "adapters/httpapi/submit.go", Old: "case r.ContentLength > most:", New: "case r.ContentLength > most<<40:"},
			{File: "cmd/vaguemestre/serving/certificate.go", Old: "MinVersion:     tls.VersionTLS12,", New: "MinVersion:     tls.VersionTLS10,"},
			{File: "cmd/vaguemestre/serving/certificate.go", Old: "tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,", New: "tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,"},
			{File: "cmd/vaguemestre/main.go", Old: "if err := wiring.NoCore(); err != nil {", New: "if err := error(nil); err != nil {"},
		},
		run: "^TestServed$",
		// Not 30: behind the front, the API wants a declared length by itself.
		red: []string{
			"28_CL_and_TE", "31_folded_header", "32_1_MiB_header", "33_slow_headers", "34_slow_body", "35_slow_read",
			"38_CONTINUATION_flood", "39_gzip_body_bomb", "40_100_MiB_body", "42_Host_spoof", "43_X_Forwarded_For_spoof", "44_TRACE", "46_TLS_1_0_and_1_1",
			"49_SNI_not_Host", "64_DNS_rebinding", "rate_of_a_token", "security_headers", "admin_listener", "no_core",
		},
	},
	{
		name:  "one address takes every connection",
		edits: []sabotage.Edit{{File: "cmd/vaguemestre/serving/limit.go", Old: "l.each[who] >= maxPerRemote", New: "l.each[who] < 0"}},
		run:   "^TestServed$/^all$/^(36_10000_idle)$",
		red:   []string{"36_10000_idle"},
	},
	{
		name: "a certificate is taken by halves, and logs say what was asked",
		edits: []sabotage.Edit{
			{File: "cmd/vaguemestre/serving/certificate.go", Old: "	c.held, c.of, c.tried = &k, files, time.Time{}", New: "	c.held, c.of, c.tried = &k, files, now"},
			{File: "cmd/vaguemestre/serving/certificate.go", Old: "case err == nil && c.held != nil && same(files, c.of):", New: "case c.held != nil:"},
			{File: "adapters/httpapi/serve.go", Old: `slog.String("route", x.r.Pattern)`, New: `slog.String("route", x.r.URL.Path)`},
		},
		run: "^TestServed$/^all$/^(45_encoded_traversal|certificate_renewed_by_halves)$",
		red: []string{"certificate_renewed_by_halves", "stands in the log"},
	},
}

// TestSabotage: each limit that is taken away turns its attack red.
func TestSabotage(t *testing.T) {
	theProgram(t) // skips where nothing can be built
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			file, err := build(v.edits)
			if errors.Is(err, sabotage.ErrStale) || err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(context.Background(), self, "-test.run", v.run, "-test.v")
			c.Env = append(os.Environ(), program+"="+file)
			out, err := c.CombinedOutput()
			if err == nil {
				t.Errorf("nothing was found:\n%s", out)
				return
			}
			for _, name := range v.red {
				if !red(string(out), name) {
					t.Errorf("%s did not turn red", name)
				}
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// red finds a test that failed, or a fault that was told.
func red(output, name string) bool {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "--- FAIL: "); ok && strings.Contains(rest, "/"+name+" ") || strings.Contains(line, name) && strings.Contains(line, "_test.go:") {
			return true
		}
	}
	return false
}
