package schemas

import (
	"slices"
	"strings"
	"testing"
)

// Whatever answers whatever is accepted; what the table does not expect is told
// to both sides, in the réserves and in the text, and the document itself is
// not changed.
func TestAnswering(t *testing.T) {
	unexpected := 0
	for _, e := range goodOnes(t) {
		d := mustParse(t, e.kind, e.data)
		before := d.Reserves()
		for _, row := range Kinds() {
			a := d.Answering(row.Kind)
			told := slices.ContainsFunc(a.Reserves(), func(f Field) bool { return f.Path == ReplyPath && f.Code == codeReponse && f.Message != "" })
			written := strings.Contains(strings.Join(strings.Fields(string(a.Text(""))), " "), "ne répond pas d'ordinaire")
			if want := !slices.Contains(row.Answers, e.kind); told != want || written != want || told == MayAnswer(row.Kind, e.kind) {
				t.Errorf("%s to %s: told %v, written %v", e.name, row.Kind, told, written)
			} else if want {
				unexpected++
			}
			if string(a.Bytes()) != string(d.Bytes()) || !slices.Equal(d.Reserves(), before) {
				t.Fatalf("%s to %s: the document is changed", e.name, row.Kind)
			}
		}
		if d.Answering("none") != d {
			t.Errorf("%s: answers no kind", e.name)
		}
	}
	if unexpected == 0 {
		t.Error("every answer is expected")
	}
}
