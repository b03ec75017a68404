package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/cmd/vaguemestre/serving"
)

// sendFolder, in the data directory, holds the idempotency keys of submissions
// whose receipt has not come. The name of a file is an HMAC of the whole
// submission, under a salt of that folder: it tells nothing of it.
const (
	sendFolder = "sending"
	sendSalt   = "salt"
	saltSize   = 32 // bytes

	// What makeOnce has not linked for so long, a command that was killed left.
	sendStale   = time.Hour
	sendNewborn = ".new-*"
)

// sendKey is the idempotency key of one submission, kept until its receipt.
type sendKey struct {
	path  string
	value string
	old   bool // it was there before this call, which may have been accepted
}

// keepKey finds the key of a submission that was begun before, or draws one. It
// is on disk when this returns: a receipt that is lost afterwards is asked for
// again with the same key.
func keepKey(data string, fields [][]byte) (*sendKey, error) {
	dir := filepath.Join(data, sendFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keeping the key of a submission: %w", err)
	}
	sweepKeys(dir)
	salt, _, err := once(filepath.Join(dir, sendSalt), saltSize)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, salt)
	for _, f := range fields {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f)))) // no two lists give the same bytes
		mac.Write(f)
	}
	path := filepath.Join(dir, hex.EncodeToString(mac.Sum(nil)))
	value, old, err := once(path, saltSize)
	if err != nil {
		return nil, err
	}
	return &sendKey{path: path, value: hex.EncodeToString(value), old: old}, nil
}

// sweepKeys erases what commands that were killed left unfinished.
func sweepKeys(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, sendNewborn)) // the pattern is right
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > sendStale {
			_ = os.Remove(path) // the next command tries again
		}
	}
}

// once reads a file of n random bytes, which it makes if it is not there: whole,
// durable, and the same for all who ask at the same time. was: it was there.
func once(path string, n int) (b []byte, was bool, err error) {
	wrap := func(err error) error { return fmt.Errorf("keeping the key of a submission: %w", nameless(err)) }
	b, err = os.ReadFile(path)
	was = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		if was, err = makeOnce(path, n); err != nil {
			return nil, false, wrap(err)
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, false, wrap(err)
	}
	if len(b) != n {
		return nil, false, &hinted{errors.New("a file of DATA/sending is damaged"), "a submission may have been deposited without its receipt: look with inbox --sent, then remove that folder"}
	}
	return b, was, nil
}

// makeOnce makes the file, or says that somebody did meanwhile.
func makeOnce(path string, n int) (was bool, err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, sendNewborn) // 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return false, errors.Join(err, f.Close())
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	// Link never replaces: of two that come together, one is kept by both.
	err = os.Link(f.Name(), path)
	if was = errors.Is(err, fs.ErrExist); err != nil && !was {
		return false, err
	}
	return was, syncFolder(dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// forget ends the life of a key: the receipt came.
func (k *sendKey) forget() error {
	if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the key of a submission: %w", nameless(err))
	}
	return nil
}

// settle forgets a key that no accepted submission can have: the broker said no,
// or this side cut the body. A key of an earlier call stays: that one may have
// been accepted, whatever becomes of this one.
func (k *sendKey) settle(err error) error {
	if k.old {
		return nil
	}
	if errors.Is(err, errChanged) {
		return k.forget()
	}
	var p *serving.Problem
	if !errors.As(err, &p) || p.Status/100 != 4 {
		return nil
	}
	switch {
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusRequestTimeout, p.Code == httpapi.CodeConflict:
		return nil
	}
	return k.forget()
}
