package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Without --once the page is there before the story begins, follows it by
// itself to its end, and stays until the program is told to stop.
func TestDemoStaysUp(t *testing.T) {
	if testing.Short() {
		t.Skip("plays at the pace of a reader: left out by -short")
	}
	t.Parallel()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	in, out := io.Pipe()
	var talk bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"demo"}, strings.NewReader(""), out, &talk)
		out.Close()
	}()
	printed := bufio.NewReader(in)
	first, err := printed.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(first, "http://")
	url, _, _ := strings.Cut(rest, " ")
	url = "http://" + url
	go io.Copy(io.Discard, printed) // the pipe must not hold the program back

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"evenements", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	told := 0
	for events := bufio.NewScanner(stream.Body); events.Scan(); {
		if !strings.HasPrefix(events.Text(), "data: ") {
			continue
		}
		told++
		page := fetch(t, ctx, url)
		if told == 1 && !strings.Contains(page, "en cours") {
			t.Error("the page was not there from the beginning")
		}
		if strings.Contains(page, "est terminé") {
			for _, want := range []string{"Sans réponse", "Mesure mise à exécution", "Enregistré au greffe"} {
				if !strings.Contains(page, want) {
					t.Errorf("the page at the end does not say %q", want)
				}
			}
			break
		}
	}
	if told < 10 {
		t.Errorf("the page was told of %d changes", told)
	}
	stop()
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d: %s", code, talk.String())
	}
}

func fetch(t *testing.T, ctx context.Context, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
