package serving

import (
	"errors"
	"os"
	"syscall"
)

// tmpfsMagic is f_type of statfs(2) for a folder that lives in memory.
const tmpfsMagic = 0x01021994

// memoryFolder is where files live in memory only. The folder of systemd's
// RuntimeDirectory= comes first: nobody else may look into it.
func memoryFolder() (string, error) {
	for _, dir := range []string{os.Getenv("RUNTIME_DIRECTORY"), "/dev/shm"} {
		var st syscall.Statfs_t
		if dir != "" && syscall.Statfs(dir, &st) == nil && st.Type == tmpfsMagic {
			return dir, nil
		}
	}
	return "", errNoMemory
}

// errNoMemory: what is in clear would have to be written on a disk that nobody
// asked for.
var errNoMemory = errors.New("this system has no folder in memory to prepare an open export in: stop the broker, then export with --open")
