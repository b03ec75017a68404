package httpapi_test

import (
	"encoding/json"
	"os"
	"testing"
)

// transmission is a document without pieces.
func transmission(t testing.TB) json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("../../schemas/testdata/good/transmission_correction.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
