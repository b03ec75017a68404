package broker

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"testing/iotest"
)

// someEntity is an entity with parts of the lengths where lines end.
func someEntity(t testing.TB, sizes ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := newEntityWriter(&out)
	if _, err := w.bytes(PartText, typeText, []byte("bonjour")); err != nil {
		t.Fatal(err)
	}
	for i, n := range sizes {
		if _, _, err := w.part("piece-0"+string(rune('1'+i))+".pdf", "application/pdf", bytes.NewReader(bytes.Repeat([]byte{byte(i), 0xfe, '\n'}, n)[:n])); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.finish(true); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// walk reads an entity to its end.
func walk(r io.Reader) (names []string, parts [][]byte, err error) {
	e, err := newEntityReader(r)
	if err != nil {
		return nil, nil, err
	}
	for {
		p, err := e.next()
		if err == io.EOF {
			return names, parts, nil
		}
		if err != nil {
			return nil, nil, err
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			return nil, nil, err
		}
		names, parts = append(names, p.Name+" "+p.Type), append(parts, b)
	}
}

func rewrite(names []string, parts [][]byte) []byte {
	var out bytes.Buffer
	w := newEntityWriter(&out)
	for i, n := range names {
		name, ctype, _ := strings.Cut(n, " ")
		w.bytes(name, ctype, parts[i])
	}
	w.finish(false)
	return out.Bytes()
}

// What we write, we read, byte by byte too; and so does somebody else's MIME
// reader.
func TestEntityRoundTrip(t *testing.T) {
	b := someEntity(t, 1, 56, 57, 58, 113, 114, 100_000)
	for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b))} {
		names, parts, err := walk(r)
		if err != nil || len(parts) != 9 || len(parts[7]) != 100_000 || !bytes.Equal(rewrite(names, parts), b) {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := multipart.NewReader(m.Body, params["boundary"]); ; n++ {
		if _, err := r.NextPart(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 9 {
		t.Errorf("another reader sees %d parts", n)
	}
}

// Any change of form is refused: a strict reader has nothing to interpret.
func TestEntityInOneFormOnly(t *testing.T) {
	b := string(someEntity(t, 58))
	once := func(from, to string) string { return strings.Replace(b, from, to, 1) }
	for name, bad := range map[string]string{
		"another boundary":      strings.ReplaceAll(b, boundary, "b"),
		"folded header":         once("multipart/mixed; ", "multipart/mixed;\r\n "),
		"header more":           once("MIME-Version", "X: 1\r\nMIME-Version"),
		"header after":          once("\"\r\n\r\n", "\"\r\nX: 1\r\n\r\n"),
		"part header more":      once("base64\r\n", "base64\r\nX: 1\r\n"),
		"other encoding":        once("base64", "8bit"),
		"inline":                once("attachment", "inline"),
		"path in the name":      once("piece-01", "../piece-01"),
		"quote in the name":     once("piece-01", "a\\\"b"),
		"hidden name":           once("document.txt", ".bashrc"),
		"preamble":              once("\r\n\r\n--", "\r\n\r\nx\r\n--"),
		"epilogue":              b + "x",
		"epilogue of one line":  b + "\r\n",
		"no end":                b[:len(b)-4],
		"end without CRLF":      b[:len(b)-2],
		"line feeds alone":      strings.ReplaceAll(b, "\r\n", "\n"),
		"blank line in base64":  once("\r\n--"+boundary+"\r\nContent-Type: application", "\r\n\r\n--"+boundary+"\r\nContent-Type: application"),
		"space in base64":       once("Ym9u", "Ym9 u"),
		"long line":             once("AP4K", "AP4KAP4K"),
		"full line without end": once(strings.Repeat("AP4K", 19)+"\r\n", strings.Repeat("AP4K", 19)+"AA"),
		"short line first":      once("AP4K", "AP4K\r\n"),
		"short before full":     strings.Replace(string(someEntity(t, 57)), "AP4K", "AA==\r\nAP4K", 1),
		"CR in a full line":     once("AP4K", "AP4\r"),
		"LF in a full line":     once("AP4K", "AP4\n"),
		"padding in the middle": once("AP4K", "AP4="),
		"padding bits":          once("Ym9uam91cg==", "Ym9uam91ch=="),
		"padding missing":       once("Ym9uam91cg==", "Ym9uam91cg"),
		"carriage return":       once("Ym9u", "Ym9\ru"),
		"delimiter that is not": once("--"+boundary+"\r\nContent-Type: application", "--"+boundary+"x\r\nContent-Type: application"),
	} {
		if bad == b {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, _, err := walk(strings.NewReader(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var many []int
	for range 9 {
		many = append(many, 1)
	}
	whole := string(someEntity(t, many...))
	head, part, _ := strings.Cut(whole, "--"+boundary+"\r\n")
	part, _, _ = strings.Cut(part, "--"+boundary)
	crowd := head + strings.Repeat("--"+boundary+"\r\n"+part, maxParts+1) + "--" + boundary + "--\r\n"
	if _, _, err := walk(strings.NewReader(crowd)); !errors.Is(err, ErrFormat) {
		t.Errorf("too many parts: %v", err)
	}
}

// A source that fails is no fault of form: it must be asked again.
func TestEntityFromABrokenSource(t *testing.T) {
	b := someEntity(t, 5000)
	for _, n := range []int{0, 10, 90, 400, len(b) - 1, len(b)} {
		_, _, err := walk(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(io.ErrNoProgress)))
		if !errors.Is(err, io.ErrNoProgress) || errors.Is(err, ErrFormat) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzEntity(f *testing.F) {
	f.Add(someEntity(f))
	f.Add(someEntity(f, 1, 57, 58))
	f.Add([]byte(entityHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, parts, err := walk(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("refused as %v", err)
			}
			return
		}
		if again := rewrite(names, parts); !bytes.Equal(again, b) {
			t.Errorf("read, and written otherwise:\n%q\n%q", b, again)
		}
	})
}
