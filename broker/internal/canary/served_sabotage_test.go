package canary

import (
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// servedLeaks are faults that the canary of a served broker must see, as leaks
// are those of the broker alone.
var servedLeaks = []struct {
	name  string
	edit  sabotage.Edit
	found []string // what one hit says
}{
	{
		"a log of a header of the request",
		sabotage.Edit{File: "adapters/httpapi/serve.go", Old: `slog.String("request", request),`, New: `slog.String("request", request), slog.String("agent", x.r.UserAgent()),`},
		[]string{"header User-Agent, ", "in serve.log"},
	},
	{
		"a problem that quotes a parameter",
		sabotage.Edit{File: "adapters/httpapi/list.go",
			Old: `return f, newProblem(CodeRequest).with(newFault(name, faultFormat)).hint(name + ": " + hint)`,
			New: "p := newProblem(CodeRequest).hint(hint)\n\t\tp.Detail += q[name]\n\t\treturn f, p"},
		[]string{"hostile: parameter, ", "in answers.txt"},
	},
	{
		"a recoverer of the API that logs the value of a panic",
		sabotage.Edit{File: "adapters/httpapi/serve.go", Old: `a.o.Log.Error("panic", "type", fmt.Sprintf("%T", v),`, New: `a.o.Log.Error("panic", "type", fmt.Sprintf("%v", v),`},
		[]string{"panic in the API, ", "in serve.log"},
	},
	{
		"the log of the library's server, as it is",
		sabotage.Edit{File: "adapters/httpapi/server.go", Old: `slog.NewRecord(r.Time, r.Level, "connection error", 0)`, New: `r`},
		[]string{"panic beside the API, ", "in serve.log"},
	},
	{
		"an error of the socket that quotes a path",
		sabotage.Edit{File: "cmd/vaguemestre/serving/operator.go", Old: "err = journal.ErrGone //", New: "_ = journal.ErrGone //"},
		[]string{"socket, letter, ", "in answers.txt"},
	},
	{
		"a command that names the file of a piece",
		sabotage.Edit{File: "cmd/vaguemestre/send_form.go",
			Old: `wrong := func(err error) error { return fmt.Errorf("--attach number %d: %w", rank, nameless(err)) }`,
			New: `wrong := func(err error) error { return fmt.Errorf("--attach number %d: %w", rank, err) }`},
		[]string{"file that is not there, ", "in commands.txt"},
	},
	{
		"a kept key that holds what is sent",
		sabotage.Edit{File: "cmd/vaguemestre/send_key.go", Old: `value, old, err := once(path, saltSize)`,
			New: `_ = os.WriteFile(path+".message", fields[1], 0o600)
	value, old, err := once(path, saltSize)`},
		[]string{"without an answer", "/sending/"},
	},
}

// TestServedSabotage: each leak turns the canary red, where it leaks.
func TestServedSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	var edits []sabotage.Edit
	for _, l := range servedLeaks {
		edits = append(edits, l.edit)
	}
	s := newStage(t, edits)
	s.play()
	var lines strings.Builder
	for _, h := range s.search() {
		lines.WriteString(h.String() + "\n")
	}
	for _, l := range servedLeaks {
		if !found(lines.String(), l.found) {
			t.Errorf("%s: no line with %q", l.name, l.found)
		}
	}
	if t.Failed() {
		t.Log(lines.String())
	}
}
