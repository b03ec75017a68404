package serving

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// No answer of the socket or of the admin listener quotes what was asked: the
// mux of the library would redirect to a tidied path, with a page that shows it.
func TestNoAnswerQuotesWhatWasAsked(t *testing.T) {
	const mark = "zqxfictif"
	explain := func(err error) *Problem { return &Problem{Status: http.StatusUnprocessableEntity, Detail: err.Error()} }
	o := &Operator{Explain: explain}
	h := &health{metrics: http.NotFoundHandler()}
	m := http.NewServeMux()
	m.HandleFunc("POST /admin/v1/letters/{seq}/requeue", o.requeue)
	for name, c := range map[string]struct {
		h            http.Handler
		method, path string
	}{
		"untidy path on the socket":               {o.Handler(http.NotFoundHandler()), "GET", "http://127.0.0.1//" + mark},
		"climbing path on the socket":             {o.Handler(http.NotFoundHandler()), "GET", "http://127.0.0.1/admin/../" + mark},
		"untidy path beside the API":              {h.handler(), "GET", "http://127.0.0.1//" + mark},
		"number of a dead letter that is not one": {m, "POST", "http://127.0.0.1/admin/v1/letters/" + mark + "/requeue"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c.h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
			if w.Code/100 != 4 || strings.Contains(w.Body.String(), mark) || strings.Contains(w.Header().Get("Location"), mark) {
				t.Errorf("%d, Location %q, %s", w.Code, w.Header().Get("Location"), w.Body)
			}
		})
	}
}
