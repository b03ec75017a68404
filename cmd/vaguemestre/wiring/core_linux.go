package wiring

import (
	"errors"
	"fmt"
	"syscall"
)

// Operations of prctl(2).
const (
	prGetDumpable = 3
	prSetDumpable = 4
)

var errDumpable = errors.New("the system would still write the memory of this process to a file")

// NoCore keeps the memory of this process, where keys and papers are in clear,
// out of every file: no core is written when it crashes, not even through a
// program that collects them (core(5): a limit of 0 does not stop those), and no
// other process of the same user may read it (ptrace(2)). An error means that
// one of the two does not hold.
func NoCore() error {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &l)
	if err == nil && l != (syscall.Rlimit{}) { // a service manager may have set it, and forbid the call
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	}
	if err != nil {
		return fmt.Errorf("no core files: %w", err)
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); e != 0 {
		return fmt.Errorf("no core files: %w", e)
	}
	if on, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0); e != 0 || on != 0 {
		return fmt.Errorf("no core files: %w", errDumpable)
	}
	return nil
}
