package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

//go:embed initial.toml.tmpl
var initial string

// Initial writes the commented file of a new broker: c holds its id and
// limits, one broker, which is itself, and its parties. It returns the
// error of Load when that would refuse what it says.
func Initial(c Config) ([]byte, error) {
	t, err := template.New(FileName).Funcs(template.FuncMap{"toml": quote}).Parse(initial)
	if err != nil {
		return nil, fmt.Errorf("first configuration: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, c); err != nil {
		return nil, fmt.Errorf("first configuration: %w", err)
	}
	if _, err := parse(b.Bytes()); err != nil {
		return nil, fmt.Errorf("first configuration: %w", err)
	}
	return b.Bytes(), nil
}

// WriteInitial writes the file of Initial at path, at once.
func WriteInitial(path string, c Config) error {
	b, err := Initial(c)
	if err != nil {
		return err
	}
	if err := replace(path, b); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
