//go:build !linux

package serving

import "errors"

// memoryFolder is where files live in memory only: not known on this system.
func memoryFolder() (string, error) {
	return "", errors.New("this system has no folder in memory to prepare an open export in: stop the broker, then export with --open")
}
