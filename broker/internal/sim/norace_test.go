//go:build !race

package sim

// usualSeeds is how many seeds are played when nobody asks for more, everyNth
// which commits of the fixed exchange break.
const (
	usualSeeds = 500
	everyNth   = 1
)
