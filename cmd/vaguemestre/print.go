package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// print writes one line of an answer.
func (t *terminal) print(format string, args ...any) {
	fmt.Fprintf(t.out, format+"\n", args...)
}

// table writes rows in columns.
func (t *terminal) table(rows [][]string) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// words turns ids into plain words; never nil, so that JSON has a list.
func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func joined[T ~string](list []T) string { return strings.Join(words(list), ", ") }

func orAll(s string) string {
	if s == "" {
		return "all"
	}
	return s
}
