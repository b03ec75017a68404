package demo

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"vaguemestre/broker/clock"
)

//go:embed page
var pageFiles embed.FS

// heartbeat keeps intermediaries and browsers from closing a quiet stream.
const heartbeat = 15 * time.Second

// page is the follow-up page: it reads the board and changes nothing.
type page struct {
	board *Board
	html  *template.Template
}

// Handler serves the follow-up page of a board. It answers only requests that
// name this machine, so that a site open in the same browser cannot reach it
// under a name of its own (DNS rebinding).
func Handler(b *Board) (http.Handler, error) {
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"recipients": recipients,
		"instant":    instant,
		"day":        func(t time.Time) string { return clock.Date(t, clock.Metropole) },
		"joined":     joined,
	}).ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return nil, fmt.Errorf("follow-up page: %w", err)
	}
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, fmt.Errorf("follow-up page: %w", err)
	}
	p := &page{board: b, html: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("GET /evenements", p.stream)
	for _, name := range []string{"suivi.js", "suivi.css"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	return guard(mux), nil
}

// guard sets what holds for every answer.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if !ownName(r.Host) {
			http.Error(w, "Cette page ne répond qu'à l'adresse de cette machine.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ownName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func (p *page) show(w http.ResponseWriter, _ *http.Request) {
	v, _ := p.board.Look()
	var b bytes.Buffer
	err := p.html.Execute(&b, struct {
		View
		Notice, NoSubstitute string
	}{v, Notice, noSubstitute})
	if err != nil {
		http.Error(w, "La page n'a pas pu être préparée.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the browser may have left
}

// stream tells the browser that the page has changed (server-sent events, HTML
// Living Standard section 9.2). It carries a version number and nothing else.
func (p *page) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		v, changed := p.board.Look()
		fmt.Fprintf(w, "event: suivi\ndata: %d\n\n", v.Version)
		if out.Flush() != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-r.Context().Done():
				return
			case <-changed:
				waiting = false
			case <-beat.C:
				fmt.Fprint(w, ":\n\n")
				if out.Flush() != nil {
					return
				}
			}
		}
	}
}

// Serve serves a handler on a free port of the loopback interface until the
// context ends. ready is told the address of the page.
func Serve(ctx context.Context, h http.Handler, ready func(url string)) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("follow-up page: %w", err)
	}
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // streams end with it
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	defer stop()
	ready("http://" + l.Addr().String() + "/")
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("follow-up page: %w", err)
	}
	return nil
}
