package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

const sample = "Zoqéblavîkuxôdraç"

// TestForms plants each form, made by somebody else's code where there is
// some, among random bytes, and finds it.
func TestForms(t *testing.T) {
	h := newHunter([]mark{{Where: "sample", Texts: []string{sample}}})
	through := func(f func(io.Writer) io.WriteCloser, s string) []byte {
		var b bytes.Buffer
		w := f(&b)
		io.WriteString(w, s)
		w.Close()
		return b.Bytes()
	}
	gz := func(s string) []byte {
		return through(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, s)
	}
	zl := func(s string) []byte {
		return through(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, s)
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	cases := map[string][]byte{
		"plain": []byte(sample), "capitals": []byte(strings.ToUpper(sample)), "small letters": []byte(strings.ToLower(sample)),
		"without accents": []byte("Zoqeblavikuxodrac"), "capitals without accents": []byte("ZOQEBLAVIKUXODRAC"), "small without accents": []byte("zoqeblavikuxodrac"),
		"decomposed": []byte("Zoqe\u0301blavi\u0302kuxo\u0302drac\u0327"), "Latin-1": []byte("Zoq\xe9blav\xeekux\xf4dra\xe7"),
		"UTF-16LE": utf16LE(sample), "UTF-16BE": utf16BE(sample),
		"hexadecimal": []byte(hex.EncodeToString([]byte(sample))), "hexadecimal by %X": fmt.Appendf(nil, "%X", sample),
		"\\u by Go": []byte(strconv.QuoteToASCII(sample)), "\\u in capitals": []byte(`Zoq\u00E9blav\u00EEkux\u00F4dra\u00E7`),
		"percent by a URL": []byte(url.QueryEscape(sample)), "bytes by %v": fmt.Appendf(nil, "%v", []byte(sample)),
		"quoted-printable": through(func(w io.Writer) io.WriteCloser { return quotedprintable.NewWriter(w) }, sample),
		"HTML entities":    []byte("Zoq&#233;blav&#238;kux&#244;dra&#231;"), "escaped HTML": []byte(html.EscapeString(sample)),
		"gzip": gz("avant " + sample), "zlib": zl(sample + " après"), "zip": zipped(sample),
		"gzip in zlib": zl(string(gz(sample))), "base64 in base64": []byte(b64("x" + b64("yy"+sample) + "z")),
		"base64 of gzip": []byte(b64(string(gz(sample)))), "hexadecimal of UTF-16": []byte(hex.EncodeToString(utf16LE(sample))),
		"base64 of UTF-16": []byte(b64(string(utf16BE(sample)))), "broken lines": []byte(broken(b64("x"+sample+" et la suite"), 7)),
		"broken lines, escaped": []byte(strings.ReplaceAll(broken(b64("xy"+sample+" et la suite"), 9), "\r\n", `\r\n`)),
		"a log in JSON":         logged(func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }, b64("{"+sample+"}")),
		"a log as text":         logged(func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }, sample),
		"bytes by JSON":         asJSON([]byte("xx" + sample)),
	}
	for offset := range 3 {
		for after := range 3 {
			s := strings.Repeat("a", offset) + sample + strings.Repeat("z", after)
			cases[fmt.Sprintf("base64 at %d, %d after", offset, after)] = []byte(b64(s))
			cases[fmt.Sprintf("base64url at %d, %d after", offset, after)] = []byte(base64.RawURLEncoding.EncodeToString([]byte(s)))
		}
	}
	for name, planted := range cases {
		for _, pad := range []int{0, 1, 2, 4099} {
			if hits := h.search("sample", among(planted, pad)); len(hits) == 0 {
				t.Errorf("%s, after %d bytes: not found in %q", name, pad, planted)
			}
		}
	}
	t.Logf("%d forms found", len(cases))
}

// TestNoHit: what is close to a mark, or chance, is not one.
func TestNoHit(t *testing.T) {
	h := newHunter([]mark{{"sample", []string{sample}}, {"telephone", []string{"0353017421"}}})
	for name, b := range map[string][]byte{
		"random bytes": among(nil, 1<<20), "another word": []byte("Zoqéblavîkuxôdra Zoqéblavîkuxôdrâç"), "half of it": []byte(sample[:len(sample)/2]), "another number": []byte("0353017422"),
	} {
		if hits := h.search(name, b); len(hits) > 0 {
			t.Errorf("%s: %v", name, hits)
		}
	}
}

func among(b []byte, pad int) []byte {
	r := rand.NewChaCha8([32]byte{7})
	noise := make([]byte, pad)
	r.Read(noise)
	if pad > 0 {
		noise[pad-1] = 0 // the plant stands for itself
	}
	return append(append(noise, b...), 0, 1, 2)
}

func zipped(s string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("piece.txt")
	io.WriteString(f, strings.Repeat("blanc ", 20)+s)
	w.Close()
	return b.Bytes()
}

func broken(s string, every int) string {
	var out strings.Builder
	for i := 0; i < len(s); i += every {
		out.WriteString(s[i:min(i+every, len(s))] + "\r\n")
	}
	return out.String()
}

func logged(make func(io.Writer) slog.Handler, s string) []byte {
	var b bytes.Buffer
	slog.New(make(&b)).Info("essai", "document", s)
	return b.Bytes()
}

func asJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

func utf16LE(s string) (out []byte) {
	for _, r := range s {
		out = append(out, byte(r), byte(r>>8))
	}
	return out
}

func utf16BE(s string) (out []byte) {
	for _, r := range s {
		out = append(out, byte(r>>8), byte(r))
	}
	return out
}
