//go:build !unix

package export_test

import "errors"

func makePipe(string) error { return errors.New("no pipes on this system") }
