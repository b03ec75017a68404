package broker_test

import (
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// spoilt is a journal of which a disk altered one object.
type spoilt struct {
	journal.Store
	digest atomic.Pointer[string]
}

func (s *spoilt) View(f func(journal.View) error) error {
	return s.Store.View(func(v journal.View) error { return f(spoiltView{v, s.digest.Load()}) })
}

type spoiltView struct {
	journal.View
	digest *string
}

func (v spoiltView) Object(sha256 string) ([]byte, error) {
	if v.digest != nil && sha256 == *v.digest {
		return nil, journal.ErrDamaged
	}
	return v.View.Object(sha256)
}

// A silence on a pli whose header cannot be read is an alarm as any other: it
// ends no broker, which would stop again at each start, and every other silence
// with it.
func TestSilenceOfADamagedPli(t *testing.T) {
	clock, store := newSteppedClock(), &spoilt{}
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		p.Store = func(id broker.BrokerID, s journal.Store) journal.Store {
			if id != nord {
				return s
			}
			store.Store = s
			return store
		}
	})
	first := accept(t, tn.at(nord), signalement(t, "1"))
	second := accept(t, tn.at(nord), signalement(t, "2"))
	tn.deliver(nord)
	store.digest.Store(&first.HeaderSHA256)
	clock.advance(time.Hour)
	tn.run()
	eventually(t, "both alarms", func() bool {
		return len(tn.alarms(nord, first.ID, parquet)) > 0 && len(tn.alarms(nord, second.ID, parquet)) > 0
	})
	tn.halt()
}
