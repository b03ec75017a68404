package serving

import (
	"net/http"
	"strconv"
	"time"

	"vaguemestre/broker/journal"
)

// Bounds of one wait for a change: shorter than any deadline of a connection,
// and looking often enough not to delay a broker that stops.
const (
	changeWait = 10 * time.Second
	changeLook = 200 * time.Millisecond
)

// Changes is what the wait for a change answers: the size of the log then.
type Changes struct {
	Size uint64 `json:"size"`
}

// changes answers once the log is not as long as the caller says, so that
// nobody has to ask every second; as it is, after changeWait or when the broker
// is about to stop.
func (o *Operator) changes(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
	if err != nil {
		(&Problem{Status: http.StatusBadRequest, Code: "format", Detail: "after: the size of a log", Exit: 1}).write(w)
		return
	}
	woken := make(chan struct{}, 1)
	stop := o.Journal.Watch(func(journal.Change) {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	defer stop()
	end := time.NewTimer(changeWait)
	defer end.Stop()
	look := time.NewTicker(changeLook)
	defer look.Stop()
	for waiting := true; waiting && o.Journal.Head().Size == after && !o.draining(); {
		select {
		case <-woken:
		case <-look.C:
		case <-end.C:
			waiting = false
		case <-r.Context().Done():
			return
		}
	}
	o.answer(w, Changes{o.Journal.Head().Size}, nil)
}
