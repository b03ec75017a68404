package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// newAPI is the API of a broker, for applications (Public) and for the owner of
// its data directory (Local).
func newAPI(d *wiring.Data, n *wiring.Node, log *slog.Logger) *httpapi.API {
	c := d.Config
	return httpapi.New(httpapi.Options{
		Broker: n.Broker, Tokens: n.Broker,
		Export:  httpapi.Exporter(n.Broker, filepath.Join(d.Dir, exportScratch)),
		MaxBody: c.Upload(), Rate: float64(c.API.RatePerSecond), Burst: int(c.API.Burst), Log: log,
	})
}

// exportScratch is the folder where the exports of the API are prepared: sealed
// ones only. serving erases what a crash left there.
const exportScratch = ".vaguemestre-api"

// firstToken makes the token of a new broker, with every right, and returns its
// secret.
func firstToken(ctx context.Context, n *wiring.Node, application, party string) (string, error) {
	secret, digest, hint, err := httpapi.NewToken(rand.Reader)
	if err != nil {
		return "", err
	}
	t := broker.Token{Digest: digest, Hint: hint, Application: application, Party: broker.PartyID(party), Rights: broker.Rights()}
	if _, err := n.Broker.AddToken(ctx, t); err != nil {
		return "", fmt.Errorf("first token: %w", err)
	}
	return secret, nil
}
