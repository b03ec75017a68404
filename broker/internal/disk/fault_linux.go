package disk

import (
	"io"
	"os"
	"syscall"
)

// Fault says which operation fails, and how.
type Fault struct {
	Kind    Kind
	At      int               // the At-th of that kind from now on, from 1
	Only    func(string) bool // counts only operations on such paths; nil: all
	Forever bool              // so do all that follow, until Mend
	Errno   syscall.Errno     // what it fails with
	Short   bool              // of writes: half of the bytes are written, the rest fails
	Drop    bool              // of fsyncs: what it should have kept is taken back, and later fsyncs succeed
	Do      func(Strike)      // called when it strikes, before the answer; must not touch the folder
}

// armed is a fault at work.
type armed struct {
	Fault
	seen   int
	struck []Strike
	rest   bool // of a short write: the rest fails
}

// Strike is an operation that failed.
type Strike struct {
	Kind Kind
	Path string
}

// Break arms a fault in place of the last one.
func (d *Dir) Break(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = &armed{Fault: f}
}

// Mend lets every operation succeed, and lists those that failed since Break.
func (d *Dir) Mend() []Strike {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == nil {
		return nil
	}
	struck := d.fault.struck
	d.fault = nil
	return struck
}

// Struck counts the operations that failed since Break.
func (d *Dir) Struck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == nil {
		return 0
	}
	return len(d.fault.struck)
}

// strike counts an operation and says what it fails with, and whether a write
// does half of its work first.
func (d *Dir) strike(k Kind, p string) (errno syscall.Errno, half bool) {
	d.counts[k]++
	f := d.fault
	if f == nil || f.Kind != k || p == NotesName || f.Only != nil && !f.Only(p) {
		return 0, false
	}
	f.seen++
	if f.rest && !f.Forever {
		f.rest = false
		return f.Errno, false
	}
	if f.seen < f.At || f.seen > f.At && !f.Forever {
		return 0, false
	}
	half = f.Short && !f.rest
	f.rest = f.Short
	f.struck = append(f.struck, Strike{k, p})
	if f.Do != nil {
		f.Do(Strike{k, p})
	}
	return f.Errno, half
}

// before is what a write that is not synced has replaced.
type before struct {
	off  int64
	data []byte
	size int64 // of the file
}

// dropping says whether a fault takes writes back.
func (d *Dir) dropping() bool { return d.fault != nil && d.fault.Drop }

// remember keeps what is about to be replaced.
func (d *Dir) remember(id int, f *os.File, off int64, n int) {
	if !d.dropping() {
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	b := before{off: off, data: make([]byte, n), size: info.Size()}
	got, err := f.ReadAt(b.data, off)
	if err != nil && err != io.EOF {
		return
	}
	b.data = b.data[:got]
	d.undo[id] = append(d.undo[id], b)
}

// synced forgets what was replaced.
func (d *Dir) synced(id int) { delete(d.undo, id) }

// drop takes back what was not synced. The process goes on reading its own
// pages: the kernel believes them to be on the disk.
func (d *Dir) drop(id int, f *os.File) {
	list := d.undo[id]
	delete(d.undo, id)
	for i := len(list) - 1; i >= 0; i-- {
		b := list[i]
		// A disk behind that fails here leaves more than a real one would: the
		// test then finds less, never too much.
		_, _ = f.WriteAt(b.data, b.off)
		_ = f.Truncate(b.size)
	}
}
