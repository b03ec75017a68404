package main

import (
	"runtime"
	"runtime/debug"
)

// stamped is the version that deploy/build.sh links in; nothing writes it here.
var stamped string

// built says which program this is.
type built struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // of the sources, "+dirty" when they were changed since
	Go      string `json:"go"`
}

// build is what was built, as far as the linker and the Go command said.
func build() built {
	out := built{Version: stamped, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if out.Version == "" {
		out.Version = info.Main.Version
	}
	if out.Version == "" {
		out.Version = "unknown"
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			out.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if out.Commit != "" {
		out.Commit += dirty
	}
	return out
}

// printVersion answers --version.
func (t *terminal) printVersion() error {
	b := build()
	if t.json {
		return t.answer(b)
	}
	commit := ""
	if b.Commit != "" {
		commit = "commit " + b.Commit + ", "
	}
	t.print("vaguemestre %s (%s%s)", b.Version, commit, b.Go)
	return nil
}
