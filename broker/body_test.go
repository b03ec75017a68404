package broker

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// Only the bytes of the signed header are taken.
func TestSmallBlob(t *testing.T) {
	body := bytes.Repeat([]byte("pli"), 1000)
	n, digest := int64(len(body)), Digest(body)
	for _, r := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body)), iotest.DataErrReader(bytes.NewReader(body))} {
		blob, err := smallBlob(r, n, digest)
		if err != nil || !bytes.Equal(blob.Bytes, body) || blob.Size != n || blob.SHA256 != digest || blob.Name != "body/"+digest {
			t.Errorf("%s, %d bytes, %v", blob.Name, blob.Size, err)
		}
	}
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"nothing":       {bytes.NewReader(nil), errLength},
		"one byte less": {bytes.NewReader(body[:n-1]), errLength},
		"one byte more": {bytes.NewReader(append(bytes.Clone(body), 'x')), errLength},
		"another byte":  {bytes.NewReader(append(bytes.Clone(body[:n-1]), 'x')), errBytes},
		"broken":        {io.MultiReader(bytes.NewReader(body[:10]), iotest.ErrReader(io.ErrNoProgress)), io.ErrNoProgress},
		"broken at end": {io.MultiReader(bytes.NewReader(body), iotest.ErrReader(io.ErrNoProgress)), io.ErrNoProgress},
	} {
		if blob, err := smallBlob(c.r, n, digest); !errors.Is(err, c.want) || blob.Bytes != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
