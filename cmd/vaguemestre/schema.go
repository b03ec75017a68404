package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vaguemestre/schemas"
)

func newSchemaCommand(t *terminal) *cobra.Command {
	kinds := func() []string {
		var out []string
		for _, r := range schemas.Kinds() {
			out = append(out, string(r.Kind))
		}
		return out
	}
	return &cobra.Command{
		Use:       "schema [KIND]",
		Short:     "Print the JSON Schema of a kind of document, or list the kinds",
		Example:   "  vaguemestre schema\n  vaguemestre schema signalement",
		ValidArgs: kinds(),
		Args:      usageArgs(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return t.listKinds()
			}
			if _, err := t.out.Write(schemas.JSONSchema(schemas.Kind(args[0]))); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return nil
		},
	}
}

func (t *terminal) listKinds() error {
	type kind struct {
		Kind    schemas.Kind `json:"kind"`
		Schema  string       `json:"schema"`
		Label   string       `json:"label"`
		Urgency string       `json:"urgency"` // default
	}
	out, rows := []kind{}, [][]string{}
	for _, r := range schemas.Kinds() {
		out = append(out, kind{r.Kind, r.Schema, r.Label, r.Urgency})
		rows = append(rows, []string{string(r.Kind), r.Schema, r.Urgency, r.Label})
	}
	if t.json {
		return t.answer(out)
	}
	return t.table(rows)
}
