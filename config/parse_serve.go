package config

import (
	"net/netip"
	"path/filepath"
	"strings"
)

func (r *reader) api(t *table, l Limits) API {
	a := API{
		Listen:        t.listen("listen", DefaultAPIListen, true),
		TLSCert:       t.path("tls_cert"),
		TLSKey:        t.path("tls_key"),
		RatePerSecond: t.integer("rate_per_second", DefaultRate, 1, MaxRate),
		Burst:         t.integer("burst", DefaultBurst, 1, MaxRate),
		MaxUpload:     t.integer("max_upload", 0, MinBody, MaxBody),
	}
	t.close()
	if (a.TLSCert == "") != (a.TLSKey == "") {
		r.fault(t.at("tls_cert"), "want tls_cert and tls_key together, or neither")
	}
	if a.TLSCert == "" && a.Listen != ListenOff && !loopback(a.Listen) {
		r.fault(t.at("listen"), "beyond this machine a token needs TLS: give tls_cert and tls_key, or listen on 127.0.0.1")
	}
	if a.MaxUpload > l.Body && l.Body > 0 {
		r.fault(t.at("max_upload"), "want no more than limits.body")
	}
	return a
}

func (r *reader) admin(t *table) Admin {
	a := Admin{Listen: t.listen("listen", DefaultAdminListen, false)}
	t.close()
	if !loopback(a.Listen) {
		r.fault(t.at("listen"), "want an address of this machine, such as 127.0.0.1:8481: it asks nobody who he is")
	}
	return a
}

func (r *reader) log(t *table) Log {
	l := Log{Format: LogAuto}
	if _, given := t.left["format"]; given {
		l.Format = t.text("format", false)
	}
	if l.Format != LogAuto && l.Format != LogJSON && l.Format != LogText {
		r.fault(t.at("format"), "want auto, json or text")
	}
	t.close()
	return l
}

// listen reads host:port. A name is not taken: what it means would be decided
// elsewhere.
func (t *table) listen(key, absent string, off bool) string {
	if _, given := t.left[key]; !given {
		return absent
	}
	s := t.text(key, false)
	if off && s == ListenOff {
		return s
	}
	if _, err := netip.ParseAddrPort(s); err != nil {
		t.r.fault(t.at(key), "want an address and a port, such as 127.0.0.1:8480 or [::1]:8480")
		return absent
	}
	return s
}

// loopback says whether only this machine reaches the address.
func loopback(listen string) bool {
	a, err := netip.ParseAddrPort(listen)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// path reads a file name, inside the data directory unless it is absolute.
func (t *table) path(key string) string {
	if _, given := t.left[key]; !given {
		return ""
	}
	s := t.text(key, false)
	if strings.ContainsAny(s, "\\\x00") || !filepath.IsAbs(s) && !filepath.IsLocal(s) {
		t.r.fault(t.at(key), "want a path inside the data directory, or an absolute one")
	}
	return s
}
