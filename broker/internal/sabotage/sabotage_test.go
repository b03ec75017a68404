package sabotage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// module is a module of one function and its test.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example\n\ngo 1.26\n",
		"a.go":      "package a\n\nfunc sound() bool { return true }\n",
		"a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestSound(t *testing.T) {\n\tif !sound() {\n\t\tt.Error(\"unsound\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTest(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	dir := module(t)
	for name, c := range map[string]struct {
		old, new string
		failed   bool
		err      error
	}{
		"a fault that a test finds": {"return true", "return false", true, nil},
		"no fault":                  {"return true", "return 1 == 1", false, nil},
		"a text that is gone":       {"return nil", "return false", false, ErrStale},
		"no program":                {"return true", "return nothing", false, ErrBuild},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Test(context.Background(), dir, []Edit{{"a.go", c.old, c.new}}, nil, "./...")
			if !errors.Is(err, c.err) || got.Failed != c.failed && c.err == nil {
				t.Errorf("failed %v, error %v, output:\n%s", got.Failed, err, got.Output)
			}
		})
	}
	b, err := os.ReadFile(filepath.Join(dir, "a.go"))
	if err != nil || string(b) != "package a\n\nfunc sound() bool { return true }\n" {
		t.Errorf("the sources were changed: %v", err)
	}
}

func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	dir := module(t)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\"sound\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.go", "a_test.go"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		edits []Edit
		says  string
		err   error
	}{
		"no edit":             {nil, "sound\n", nil},
		"a fault":             {[]Edit{{"main.go", "sound", "unsound"}}, "unsound\n", nil},
		"a text that is gone": {[]Edit{{"main.go", "nothing", ""}}, "", ErrStale},
		"no program":          {[]Edit{{"main.go", "println", "nothing"}}, "", ErrBuild},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "program")
			if err := Build(context.Background(), dir, c.edits, ".", file); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if c.err != nil {
				return
			}
			if out, err := exec.Command(file).CombinedOutput(); err != nil || string(out) != c.says {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}
