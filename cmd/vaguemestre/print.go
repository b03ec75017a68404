package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// answers is where answers go. It remembers the first write that failed: an
// answer that nobody has is not given.
type answers struct {
	to  io.Writer
	err error
}

func (a *answers) Write(b []byte) (int, error) {
	n, err := a.to.Write(b)
	if a.err == nil {
		a.err = err
	}
	return n, err
}

// printed says whether all that was printed so far was written.
func (t *terminal) printed() error {
	if a, ok := t.out.(*answers); ok && a.err != nil {
		return fmt.Errorf("printing: %w", a.err)
	}
	return nil
}

// print writes one line of an answer; see printed.
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
