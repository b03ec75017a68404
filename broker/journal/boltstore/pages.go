package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"vaguemestre/broker/journal"
)

// The file format of bbolt (version 2), as far as walking it needs. bbolt
// trusts its pages: a cycle would hang it, a wrong offset would fault. So the
// structure is checked first, each page at most once, from reads that cannot
// fault.
const (
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	pageHeader    = 16
	metaSize      = 64
	branchFlag    = 0x01
	leafFlag      = 0x02
	freelistFlag  = 0x10
	bucketLeaf    = 0x01
	bucketHeader  = 16
	maxPageSize   = 64 << 10
	manyFreePages = 0xFFFF // the count is then the first id
)

// damage says where the structure of the file is broken.
type damage struct {
	page   uint64
	bucket string // "" for the root
	key    []byte // all keys of the page are at or after it, when known
	what   string
}

// Error implements error.
func (d *damage) Error() string {
	return fmt.Sprintf("boltstore: page %d of bucket %q: %s", d.page, d.bucket, d.what)
}

// pageWalk checks one file.
type pageWalk struct {
	r        io.ReaderAt
	pageSize int
	meta     []byte
	limit    uint64 // pages at or after it are not in use
	used     []bool
	only     func(bucket string) bool // nil: all
}

// subtree is a page still to be checked, with the bounds that its parent
// gives.
type subtree struct {
	page   uint64
	bucket string
	lo, hi []byte // hi nil: unbounded
	top    bool   // its leaves are buckets
}

// checkPages walks every page that bbolt could reach in the file.
func checkPages(path string) error { return walkPages(path, nil) }

// checkDerivedPages walks the pages of the derived buckets: a branch whose key
// is altered leads a search astray, though every row is there.
func checkDerivedPages(path string) error {
	names := map[string]bool{}
	for b := range nBuckets {
		names[b.String()] = b.derived()
	}
	return walkPages(path, func(bucket string) bool { return names[bucket] })
}

func walkPages(path string, only func(bucket string) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("boltstore: verify: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("boltstore: verify: %w", err)
	}
	w := &pageWalk{r: f, only: only}
	if err := w.readMeta(info.Size()); err != nil {
		return err
	}
	todo := []subtree{{page: binary.LittleEndian.Uint64(w.meta[16:]), top: true}}
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		below, err := w.check(next)
		if err != nil {
			return err
		}
		todo = append(todo[:len(todo)-1], below...)
	}
	if only != nil {
		return nil
	}
	return w.checkFree(binary.LittleEndian.Uint64(w.meta[32:]))
}

// wholeFile wants the file to be as long as it says: reading beyond its end
// would fault. ErrFormat when it is not, or is no file of bbolt at all.
func wholeFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("boltstore: open: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("boltstore: open: %w", err)
	}
	w := &pageWalk{r: f}
	if err := w.readMeta(info.Size()); err != nil {
		return fmt.Errorf("%w: %w", journal.ErrFormat, err)
	}
	return nil
}

// readMeta takes the newest of the two meta pages that are whole, as bbolt
// does.
func (w *pageWalk) readMeta(size int64) error {
	first := w.metaAt(0)
	sizes := []int{4096, 8192, 16384, 32768, maxPageSize, 1024, 2048}
	if first != nil {
		sizes = []int{int(binary.LittleEndian.Uint32(first[8:]))}
	}
	for _, s := range sizes {
		if s < 1024 || s > maxPageSize || s&(s-1) != 0 {
			continue
		}
		second := w.metaAt(int64(s))
		switch {
		case second != nil && int(binary.LittleEndian.Uint32(second[8:])) != s:
			continue
		case first == nil && second == nil:
			continue
		case first == nil, second != nil && txid(second) > txid(first):
			first = second
		}
		w.meta, w.pageSize = first, s
		w.limit = binary.LittleEndian.Uint64(first[40:])
		if w.limit < 4 || w.limit > uint64(size)/uint64(s) {
			return &damage{what: "the file is shorter than its meta page says"}
		}
		w.used = make([]bool, w.limit)
		return nil
	}
	return &damage{what: "no meta page is whole"}
}

func txid(meta []byte) uint64 { return binary.LittleEndian.Uint64(meta[48:]) }

func (w *pageWalk) metaAt(off int64) []byte {
	b := make([]byte, metaSize)
	if _, err := w.r.ReadAt(b, off+pageHeader); err != nil {
		return nil
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if binary.LittleEndian.Uint32(b) != boltMagic || binary.LittleEndian.Uint32(b[4:]) != boltVersion ||
		binary.LittleEndian.Uint64(b[metaSize-8:]) != sum.Sum64() {
		return nil
	}
	return b
}

// read takes a page with its overflow, and marks them used.
func (w *pageWalk) read(id uint64) (page []byte, what string) {
	if id < 2 || id >= w.limit {
		return nil, "a page that the file does not have"
	}
	var head [pageHeader]byte
	if _, err := w.r.ReadAt(head[:], int64(id)*int64(w.pageSize)); err != nil {
		return nil, "cannot be read"
	}
	n := uint64(binary.LittleEndian.Uint32(head[12:])) + 1
	if binary.LittleEndian.Uint64(head[:]) != id || n > w.limit-id {
		return nil, "its header is not its own"
	}
	for i := id; i < id+n; i++ {
		if w.used[i] {
			return nil, "used twice"
		}
		w.used[i] = true
	}
	page = make([]byte, n*uint64(w.pageSize))
	if _, err := w.r.ReadAt(page, int64(id)*int64(w.pageSize)); err != nil {
		return nil, "cannot be read"
	}
	return page, ""
}

// check checks one page and lists the subtrees below it.
func (w *pageWalk) check(s subtree) ([]subtree, error) {
	page, what := w.read(s.page)
	if what == "" {
		var below []subtree
		if below, what = w.elements(s, page); what == "" {
			return below, nil
		}
	}
	return nil, &damage{page: s.page, bucket: s.bucket, key: s.lo, what: what}
}

func (w *pageWalk) elements(s subtree, page []byte) (below []subtree, what string) {
	flags := binary.LittleEndian.Uint16(page[8:])
	count := int(binary.LittleEndian.Uint16(page[10:]))
	if flags != branchFlag && flags != leafFlag || flags == branchFlag && count == 0 {
		return nil, "neither branch nor leaf"
	}
	if len(page) < pageHeader+16*count {
		return nil, "more elements than it holds"
	}
	var last []byte
	for i := range count {
		el := pageHeader + 16*i
		key, value, ok := element(page, el, flags)
		if !ok {
			return nil, "an element reaches outside"
		}
		if i > 0 && bytes.Compare(last, key) >= 0 || i == 0 && s.lo != nil && bytes.Compare(key, s.lo) < 0 ||
			s.hi != nil && bytes.Compare(key, s.hi) >= 0 {
			return nil, "keys out of order"
		}
		last = key
		switch {
		case flags == branchFlag:
			if n := len(below); n > 0 {
				below[n-1].hi = key
			}
			below = append(below, subtree{page: binary.LittleEndian.Uint64(page[el+8:]), bucket: s.bucket,
				lo: key, hi: s.hi, top: s.top})
		case !s.top && binary.LittleEndian.Uint32(page[el:]) != 0:
			return nil, "a bucket where there is none"
		case s.top:
			sub, what := w.bucketElement(page, el, key, value)
			if what != "" {
				return nil, what
			}
			below = append(below, sub...)
		}
	}
	return below, ""
}

// bucketElement checks one bucket of the root, whose page may be inside the
// element.
func (w *pageWalk) bucketElement(page []byte, el int, key, value []byte) ([]subtree, string) {
	if binary.LittleEndian.Uint32(page[el:]) != bucketLeaf || len(value) < bucketHeader {
		return nil, "not a bucket"
	}
	if w.only != nil && !w.only(string(key)) {
		return nil, ""
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return []subtree{{page: root, bucket: string(key)}}, ""
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || binary.LittleEndian.Uint16(inline[8:]) != leafFlag {
		return nil, "a bucket without its page"
	}
	_, what := w.elements(subtree{bucket: string(key)}, inline)
	return nil, what
}

// element reads key and value of the element at el.
func element(page []byte, el int, flags uint16) (key, value []byte, ok bool) {
	pos, ksize, vsize := el, 0, 0
	if flags == branchFlag {
		pos += int(binary.LittleEndian.Uint32(page[el:]))
		ksize = int(binary.LittleEndian.Uint32(page[el+4:]))
	} else {
		pos += int(binary.LittleEndian.Uint32(page[el+4:]))
		ksize = int(binary.LittleEndian.Uint32(page[el+8:]))
		vsize = int(binary.LittleEndian.Uint32(page[el+12:]))
	}
	if pos > len(page) || ksize > len(page)-pos || vsize > len(page)-pos-ksize {
		return nil, nil, false
	}
	return page[pos : pos+ksize], page[pos+ksize : pos+ksize+vsize], true
}

// checkFree wants every page to be either in use or free: a wrong freelist
// would let bbolt write over what is in use.
func (w *pageWalk) checkFree(id uint64) error {
	page, what := w.read(id)
	if what == "" {
		what = w.freePages(page)
	}
	if what != "" {
		return &damage{page: id, what: "free pages: " + what}
	}
	for i := uint64(2); i < w.limit; i++ {
		if !w.used[i] {
			return &damage{page: i, what: "neither in use nor free"}
		}
	}
	return nil
}

func (w *pageWalk) freePages(page []byte) string {
	if binary.LittleEndian.Uint16(page[8:]) != freelistFlag {
		return "no list"
	}
	count, ids := uint64(binary.LittleEndian.Uint16(page[10:])), page[pageHeader:]
	if count == manyFreePages {
		count, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return "more than the list holds"
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(ids[8*i:])
		if id < 2 || id >= w.limit || w.used[id] {
			return "one that is in use, or not in the file"
		}
		w.used[id] = true
	}
	return ""
}

// position guesses which event the damage touches first: the number counted
// over all logs, 0 when the bucket does not tell.
func (d *damage) position() uint64 {
	if len(d.key) != 8 {
		return 0
	}
	switch d.bucket {
	case bEvents.String():
		return readU64(d.key)
	case bObjects.String(), bBlobBytes.String(), bItems.String(), bLetters.String():
		return readU64(d.key) >> 8
	}
	return 0
}

var _ error = (*damage)(nil)

// isDamage finds the damage behind an error.
func isDamage(err error) (*damage, bool) {
	var d *damage
	return d, errors.As(err, &d)
}
