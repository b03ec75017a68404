package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/clock"
)

func newTokenCommand(t *terminal) *cobra.Command {
	return group("token", "Let applications call the API, and stop them",
		newTokenCreateCommand(t), newTokenListCommand(t), newTokenRevokeCommand(t))
}

// keptToken is the right of an application, as the API shows it.
type keptToken struct {
	Secret      string   `json:"token,omitempty"`
	Hint        string   `json:"hint"`
	Digest      string   `json:"digest"`
	Application string   `json:"application"`
	Party       string   `json:"party"`
	Rights      []string `json:"rights"`
	Created     string   `json:"created"`
	Expires     string   `json:"expires,omitempty"`
	Revoked     string   `json:"revoked,omitempty"`
}

func newTokenCreateCommand(t *terminal) *cobra.Command {
	var data, party, application, expires string
	var rights []string
	c := &cobra.Command{
		Use:   "create --party PARTY --application NAME --right RIGHT,… --data DIR",
		Short: "Make a token, which is shown this once",
		Long: "Make the token by which one application calls the API for one party. It is shown\n" +
			"this once and kept nowhere: the broker keeps its digest.\n" +
			"\n" +
			"Rights: send, read, act, export, audit. With act an application speaks in the name\n" +
			"of the persons that it names, and what it says is shown as declared.",
		Example: "  vaguemestre token create --party ase-59 --application logiciel-enfance \\\n" +
			"    --right send,read --expires 31/12/2027 --data ./data",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := mailboxOf(acting{data, party})
			if usage := (*usageError)(nil); errors.As(err, &usage) {
				usage.text = strings.Replace(usage.text, "--as", "--party", 1)
			}
			if err != nil {
				return err
			}
			q := map[string]any{"application": application, "party": party, "rights": rights}
			if q["expires"], err = expiry(expires, m.zone); err != nil {
				return err
			}
			if q["expires"] == "" {
				delete(q, "expires")
			}
			return t.ask(c.Context(), data, func(b *client) error {
				var k keptToken
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/tokens", q, &k); err != nil {
					return t.told(err)
				}
				if t.json {
					return t.answer(k)
				}
				t.print("%s", k.Secret)
				t.say("Token of %s, for the application %s: %s. It is shown this once.", k.Party, k.Application, strings.Join(k.Rights, ", "))
				return nil
			})
		},
	}
	dataFlag(c, &data)
	v := c.Flags()
	v.StringVar(&party, "party", "", "party for which the application acts (required)")
	v.StringVar(&application, "application", "", "name of the application: lower-case letters, digits and hyphens, never a person (required)")
	v.StringSliceVar(&rights, "right", nil, "send, read, act, export, audit; several with commas (required)")
	v.StringVar(&expires, "expires", "", "last day, or instant, at which it serves; for ever when it is left out")
	for _, name := range []string{"party", "application", "right"} {
		required(c, name)
	}
	return c
}

// expiry reads the end of a token: a day counts whole.
func expiry(s string, z clock.Zone) (string, error) {
	if s == "" {
		return "", nil
	}
	at, ok := parseLocal(s, z.Location())
	if !ok {
		return "", &usageError{text: "--expires: not a date", hint: "31/12/2027, 2027-12-31, or 2027-12-31T18:00:00+01:00"}
	}
	if !strings.ContainsAny(s, ":hT") {
		year, month, day := at.Date()
		at = time.Date(year, month, day+1, 0, 0, 0, 0, z.Location())
	}
	return broker.FormatTime(at), nil
}

func tokensOf(ctx context.Context, b *client) ([]keptToken, error) {
	var all struct {
		Items []keptToken `json:"items"`
	}
	return all.Items, b.call(ctx, http.MethodGet, "/admin/v1/tokens", nil, &all)
}

func newTokenListCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:     "list --data DIR",
		Short:   "List the tokens, by their first characters",
		Long:    "List the tokens in the order of their creation, revoked ones too. With --json, one\nobject a line.",
		Example: "  vaguemestre token list --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.ask(c.Context(), data, func(b *client) error {
				all, err := tokensOf(c.Context(), b)
				if err != nil {
					return err
				}
				rows := [][]string{}
				for _, k := range all {
					if t.json {
						if err := t.answer(k); err != nil {
							return err
						}
						continue
					}
					rows = append(rows, []string{k.Hint, k.Application, k.Party, strings.Join(k.Rights, ","), k.life()})
				}
				return t.table(rows)
			})
		},
	}
	dataFlag(c, &data)
	return c
}

func (k *keptToken) life() string {
	switch {
	case k.Revoked != "":
		return "created " + k.Created + ", revoked " + k.Revoked
	case k.Expires != "":
		return "created " + k.Created + ", expires " + k.Expires
	}
	return "created " + k.Created
}

func newTokenRevokeCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:     "revoke PREFIX --data DIR",
		Short:   "Stop a token, for good",
		Long:    "Stop the token that begins with PREFIX, as token list shows it; where two begin\nalike, give the beginning of the digest that token list --json shows. The whole token\nserves too, for who has found one where it should not be.",
		Example: "  vaguemestre token revoke vmt_a1B2 --data ./data",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return t.ask(c.Context(), data, func(b *client) error {
				k, err := tokenBeginning(c.Context(), b, args[0])
				if err != nil {
					return err
				}
				r, err := b.do(c.Context(), http.MethodDelete, "/admin/v1/tokens/"+k.Digest, nil)
				if err != nil {
					return t.told(err)
				}
				r.Body.Close()
				if t.json {
					return t.answer(map[string]any{"hint": k.Hint, "digest": k.Digest, "revoked": true})
				}
				t.print("%s: revoked", k.Hint)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}

// tokenBeginning finds the one token that begins so.
func tokenBeginning(ctx context.Context, b *client, prefix string) (*keptToken, error) {
	all, err := tokensOf(ctx, b)
	if err != nil {
		return nil, err
	}
	if digest, err := httpapi.ParseToken(prefix); err == nil {
		prefix = digest // the token itself, by whoever found it somewhere
	}
	var found []keptToken
	for _, k := range all {
		if prefix != "" && (strings.HasPrefix(k.Hint, prefix) || strings.HasPrefix(k.Digest, prefix)) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return nil, &hinted{errors.New("no token begins so"), "vaguemestre token list --data DIR shows the first characters of each"}
	case 1:
		return &found[0], nil
	}
	return nil, &hinted{errors.New("several tokens begin so"), "give more characters, or the beginning of the digest: token list --json shows it"}
}
