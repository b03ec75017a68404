package serving_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"vaguemestre/cmd/vaguemestre/serving"
)

func inProcess(h http.HandlerFunc) *http.Client { return &http.Client{Transport: serving.InProcess(h)} }

// What is asked and what is answered stream: each line comes back before the
// next one is sent.
func TestInProcessStreams(t *testing.T) {
	c := inProcess(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vaguemestre-Test", r.Host+r.RequestURI)
		w.WriteHeader(http.StatusAccepted)
		for s := bufio.NewScanner(r.Body); s.Scan(); {
			fmt.Fprintf(w, "%s\n", strings.ToUpper(s.Text()))
		}
	})
	asked, lines := io.Pipe()
	r, err := c.Post("http://vaguemestre/a%2Fb?c=d", "text/plain", asked)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusAccepted || r.Header.Get("Vaguemestre-Test") != "vaguemestre/a%2Fb?c=d" {
		t.Errorf("%d, %v", r.StatusCode, r.Header)
	}
	back := bufio.NewReader(r.Body)
	for i := range 3 {
		fmt.Fprintf(lines, "ligne %d\n", i)
		if got, err := back.ReadString('\n'); err != nil || got != fmt.Sprintf("LIGNE %d\n", i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	lines.Close()
	if _, err := back.ReadByte(); err != io.EOF {
		t.Errorf("after the last line: %v", err)
	}
}

// An answer that is cut is seen to be, as over a connection.
func TestInProcessCut(t *testing.T) {
	c := inProcess(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	r, err := c.Get("http://vaguemestre/")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r.Body); err == nil || string(b) != "half" {
		t.Errorf("%q, %v", b, err)
	}
	c = inProcess(func(http.ResponseWriter, *http.Request) { panic("nothing said yet") })
	r, err = c.Get("http://vaguemestre/")
	if err != nil || r.StatusCode != http.StatusInternalServerError {
		t.Errorf("%v, %v", r, err)
	}
}

// A caller who is gone lets the handler go.
func TestInProcessGone(t *testing.T) {
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	c := inProcess(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		for {
			if _, err := w.Write([]byte("x")); err != nil {
				ended <- err
				return
			}
		}
	})
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vaguemestre/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Do(q); err == nil {
		r.Body.Close()
	} else if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended
	c = inProcess(func(w http.ResponseWriter, r *http.Request) {})
	if r, err := c.Head("http://vaguemestre/"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", r, err)
	}
}
