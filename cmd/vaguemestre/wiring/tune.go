package wiring

import (
	"os"
	"runtime"
	"runtime/debug"
)

// memorySoftLimit is where the collector begins to work harder, in bytes.
const memorySoftLimit = 384 << 20

// Tune sets the runtime for a broker, and returns what undoes it. The
// environment (GOGC, GOMEMLIMIT, GOMAXPROCS) prevails.
//
// A broker lives in a few megabytes and makes tens of kilobytes of short-lived
// bytes a pli: by default the collector would run all the time, for a third of
// the processor. With few cores, cryptography would keep the committer waiting
// for its turn: more threads than cores let the system share them.
func Tune() (undo func()) {
	percent, limit, procs := -2, int64(-1), 0
	if os.Getenv("GOGC") == "" {
		percent = debug.SetGCPercent(800)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		limit = debug.SetMemoryLimit(memorySoftLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.NumCPU() <= 4 {
		procs = runtime.GOMAXPROCS(2 * runtime.NumCPU())
	}
	return func() {
		if percent != -2 {
			debug.SetGCPercent(percent)
		}
		if limit >= 0 {
			debug.SetMemoryLimit(limit)
		}
		if procs > 0 {
			runtime.GOMAXPROCS(procs)
		}
	}
}
