package broker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// Every code of this package is explained, once, in a sentence of its own.
func TestEveryCodeIsExplained(t *testing.T) {
	rows := map[string]int{}
	sentences := map[string]bool{}
	for _, row := range codeTable() {
		rows[row.code]++
		if sentences[row.sentence] || !strings.HasSuffix(row.sentence, ".") {
			t.Errorf("sentence of %s", row.code)
		}
		sentences[row.sentence] = true
	}
	found := 0
	for _, name := range []string{"error.go", "events.go", "deliver.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			lower := strings.ToLower(spec.Names[0].Name)
			if !ok || !strings.HasPrefix(lower, "reason") && !strings.HasPrefix(lower, "refused") {
				return true
			}
			found++
			code, err := strconv.Unquote(value.Value)
			if err != nil || rows[code] != 1 {
				t.Errorf("%s is explained %d times", spec.Names[0].Name, rows[code])
			}
			return true
		})
	}
	if found != len(rows) || found < 40 {
		t.Errorf("%d constants, %d rows", found, len(rows))
	}
	if ExplainCode("inconnu") == "" || sentences[ExplainCode("inconnu")] {
		t.Error("an unknown code is explained as another")
	}
}
