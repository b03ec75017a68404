package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/seal"
)

// Options of Run. All but Grace and Getenv are required; Public may be nil where
// the configuration has no API by TCP.
type Options struct {
	Data    *wiring.Data
	Node    *wiring.Node
	Public  http.Handler // the API, by token
	Local   http.Handler // the API, for the owner of the data directory
	Drain   func()       // makes both refuse what is new, in their own words
	Explain func(error) *Problem
	Log     *slog.Logger
	Version string
	Grace   time.Duration // for what is going on when the end begins; DefaultGrace
	Getenv  func(string) string
}

// DefaultGrace is shorter than what systemd waits for before it kills (90 s).
const DefaultGrace = 30 * time.Second

// drainLook is how often the end looks whether it may come.
const drainLook = 20 * time.Millisecond

// process is one Run.
type process struct {
	Options
	gate    gate
	pulse   *pulse
	counts  *counts
	super   supervisor
	status  Status
	servers []*http.Server
	taken   []*limited
	serves  []func() error
	ended   chan error // what a server ended with, if by itself
}

// Run serves a node until the context ends and what goes on then is done, or
// until the journal fails. It returns nil, or the error that ended it; its
// errors before anything is served are those of the sockets. Node stays open.
func Run(ctx context.Context, o Options) error {
	p := &process{Options: o, pulse: &pulse{j: o.Node.Journal}, counts: newCounts(o.Node.Journal), ended: make(chan error, 8)}
	if p.Grace == 0 {
		p.Grace = DefaultGrace
	}
	if p.Getenv == nil {
		p.Getenv = os.Getenv
	}
	p.gate.log, p.super = o.Log, supervisorOf(p.Getenv)
	defer o.Node.Journal.Watch(p.counts.groups.committed)()
	sweepScratch(o.Data.Dir)
	if err := p.listen(ctx); err != nil {
		return errors.Join(err, p.close())
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- o.Node.Run(work) }()
	for _, serve := range p.serves {
		go func() { p.ended <- serve() }()
	}
	go p.super.watch(work, p.pulse.beat, func(err error) { o.Log.Warn("no sign of life was given", "error", err.Error()) })
	p.tell("READY=1")
	o.Log.Info("serving", "broker", p.status.Broker, "api", p.status.API, "tls", p.status.TLS, "admin", p.status.Admin, "version", p.Version)

	var err error
	select {
	case err = <-ran: // the journal, or the deliveries: nothing may go on without
		ran <- nil
	case err = <-p.ended:
	case <-ctx.Done():
		p.tell("STOPPING=1")
		err = p.drain(ran)
	}
	if err != nil {
		o.Log.Error("stopping at once", "error", err.Error())
	}
	stop()
	return errors.Join(err, p.close(), <-ran)
}

func (p *process) tell(state string) {
	if err := p.super.tell(state); err != nil {
		p.Log.Warn("systemd was not told", "state", state, "error", err.Error())
	}
}

// listen takes every address before anything is served: a broker that is heard
// by half would seem to be there.
func (p *process) listen(ctx context.Context) error {
	c := p.Data.Config
	p.status = Status{Broker: c.Broker, Version: p.Version, PID: os.Getpid()}
	s, err := listenSocket(ctx, p.Data.Dir)
	if err != nil {
		return err
	}
	h := &health{data: p.Data, node: p.Node, pulse: p.pulse, draining: p.gate.draining.Load}
	op := &Operator{Data: p.Data, Node: p.Node, Journal: p.Node.Journal, Explain: p.Explain, Ready: h.ready, Status: func() Status {
		st := p.status
		st.Draining = p.gate.draining.Load()
		return st
	}}
	// Only its owner opens the socket, and no name leads there.
	p.add(s, p.gate.wrap(op.Handler(p.Local)), func(*http.Request) bool { return true }, nil)
	admin, err := net.Listen("tcp", c.Admin.Listen)
	if err != nil {
		return fmt.Errorf("[admin] listen: %w", err)
	}
	p.status.Admin = admin.Addr().String()
	keys, err := p.keyLives()
	if err != nil {
		return errors.Join(err, admin.Close())
	}
	h.metrics = &metrics{
		data: p.Data, node: p.Node, counts: p.counts, gate: &p.gate, keys: keys, version: p.Version, started: time.Now(), now: time.Now,
		refused: p.refused,
	}
	p.add(admin, h.handler(), httpapi.ThisMachine, nil)
	return p.listenAPI(c.API)
}

func (p *process) listenAPI(a config.API) error {
	if a.Listen == config.ListenOff {
		return nil
	}
	var cert *certificate
	if a.TLSCert != "" {
		cert = &certificate{cert: inside(p.Data.Dir, a.TLSCert), key: inside(p.Data.Dir, a.TLSKey), log: p.Log}
		if err := cert.load(); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", a.Listen)
	if err != nil {
		return fmt.Errorf("[api] listen: %w", err)
	}
	p.status.API, p.status.TLS = l.Addr().String(), cert != nil
	hosts := httpapi.ThisMachine // config: without TLS, nothing else is listened on
	if cert != nil {
		hosts = cert.hosts
	}
	p.add(l, p.gate.wrap(p.Public), hosts, cert)
	return nil
}

// inside is a path of the configuration.
func inside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// add prepares a server on a listener.
func (p *process) add(l net.Listener, h http.Handler, hosts httpapi.Hosts, cert *certificate) {
	s := httpapi.Server(h, hosts, p.Log)
	p.servers = append(p.servers, s)
	taken := limit(l)
	p.taken = append(p.taken, taken)
	p.serves = append(p.serves, func() error {
		var err error
		if cert != nil {
			s.TLSConfig = cert.tlsConfig()
			err = s.ServeTLS(taken, "", "")
		} else {
			err = s.Serve(taken)
		}
		return fmt.Errorf("listener: %w", err)
	})
}

// refused is how many connections were, because their address had enough.
func (p *process) refused() (n uint64) {
	for _, l := range p.taken {
		n += l.refused.Load()
	}
	return n
}

// drain lets what goes on come to its end: calls being served, then deliveries
// that are due. It ends early when nothing is left, and with the error of a
// journal that fails meanwhile.
func (p *process) drain(ran chan error) error {
	p.gate.draining.Store(true)
	p.Drain()
	p.Log.Info("stopping: no new submission is taken", "calls", p.gate.within.Load())
	deadline := time.NewTimer(p.Grace)
	defer deadline.Stop()
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for quiet := 0; quiet < 2; {
		select {
		case err := <-ran:
			ran <- nil
			return err
		case <-deadline.C:
			p.Log.Warn("stopping with work left: calls are cut, deliveries wait in the journal", "calls", p.gate.within.Load())
			return nil
		case <-look.C:
		}
		// Twice in a row: what a call has just put in the queue is seen.
		quiet++
		if p.gate.within.Load() > 0 || p.due() {
			quiet = 0
		}
	}
	p.Log.Info("nothing is left to do")
	return nil
}

// due says whether something is to be delivered now.
func (p *process) due() bool {
	due := false
	err := p.Node.Journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			for _, dest := range v.Dests(topic) {
				due = due || len(v.Heads(topic, dest, time.Now(), 1)) > 0
			}
		}
		return nil
	})
	return err == nil && due
}

// closeWithin is how long answers that are on their way have once nothing is
// being done for them.
const closeWithin = 2 * time.Second

// close ends every server, and the connections that are left.
func (p *process) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var all error
	for _, s := range p.servers {
		if err := s.Shutdown(ctx); err != nil {
			all = errors.Join(all, s.Close())
		}
	}
	for _, l := range p.taken { // those that no server has closed: it never began
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// keyLives reads when the current certificates of the directory end.
func (p *process) keyLives() ([]keyLife, error) {
	var out []keyLife
	add := func(owner string, list []config.Certificate) error {
		if len(list) == 0 {
			return nil
		}
		b, ok := p.Data.Keys.Cert(list[0].Fingerprint)
		if !ok {
			return fmt.Errorf("certificate of %s: %w", owner, wiring.ErrFingerprint)
		}
		cert, err := seal.ParseCert(b)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", owner, err)
		}
		at, _ := cert.Expiry()
		out = append(out, keyLife{owner, at})
		return nil
	}
	for _, b := range p.Data.Config.Brokers {
		if err := add(b.ID, b.Certificates); err != nil {
			return nil, err
		}
	}
	for _, party := range p.Data.Config.Parties {
		if err := add(party.ID, party.Certificates); err != nil {
			return nil, err
		}
	}
	return out, nil
}
