//go:build !linux

package wiring

// NoCore keeps the memory of this process out of every file. Here the system
// has to: see SECURITY.md.
func NoCore() error { return nil }
