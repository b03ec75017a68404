//go:build race

package sim

// Under the race detector a seed costs six times more.
const (
	usualSeeds = 100
	everyNth   = 6
)
