//go:build !unix

package boltstore

import "errors"

// freeBytes cannot tell here: the journal then refuses to accept.
func freeBytes(string) (uint64, error) {
	return 0, errors.New("boltstore: free space: not known on this system")
}
