package main

import (
	"os"
	"path/filepath"
	"strings"

	"vaguemestre/cmd/vaguemestre/demo"
)

// nextCommands prints what to try on the data directories that were kept, ready
// to paste in a shell.
func (t *terminal) nextCommands(r demo.Result) {
	if len(r.Brokers) == 0 || len(r.Messages) == 0 {
		return
	}
	self, first, root := selfCommand(), r.Messages[0], filepath.Dir(r.Brokers[0].Data)
	home := r.Brokers[0]
	for _, a := range r.Anchors {
		for _, b := range r.Brokers {
			if strings.HasPrefix(a, string(first.From)+"@"+string(b.Name)+"=") {
				home = b
			}
		}
	}
	out := shellWord(filepath.Join(root, "preuve-1"))
	t.say("\nThe directories are kept. To try next:")
	if _, set := os.LookupEnv("VAGUEMESTRE_PASSPHRASE"); !set {
		t.say("  export VAGUEMESTRE_PASSPHRASE=%s", demoPassphrase)
	}
	for _, b := range r.Brokers {
		t.say("  %s journal verify --data %s", self, shellWord(b.Data))
	}
	t.say("  %s keys sheet --data %s", self, shellWord(home.Data))
	t.say("  %s export %s --data %s --out %s", self, first.ID, shellWord(home.Data), out)
	t.say("  %s verify %s --anchor %s", self, out, strings.Join(r.Anchors, " --anchor "))
	t.say("  sh %s/verifier.sh %s", out, strings.Join(r.Anchors, " "))
}

// selfCommand is how this program was called: by go run it has no name that
// lasts.
func selfCommand() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/vaguemestre"
	}
	return shellWord(os.Args[0])
}

// shellWord quotes a word for a POSIX shell where it needs it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-@=+:,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
