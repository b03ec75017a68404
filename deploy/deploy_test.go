// Package deploy holds no code: it is what an installation is made of. Its
// scripts are tried by deploy/test/deb.sh and deploy/test/container.sh, which
// take minutes, root and a network; what can be told at once is told here.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vaguemestre/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestUnit has systemd judge how much of the machine the service is left: 1.5 at
// most.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is not there (Debian package systemd)")
		}
		t.Skip("systemd-analyze is not there (Debian package systemd)")
	}
	out, err := exec.Command("sh", "test/unit.sh").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log(string(out))
}

// TestOnePlace: unit, tmpfiles, users, package and manual speak of one data
// directory, one configuration file, one user and one credential.
func TestOnePlace(t *testing.T) {
	const data, owner, credential = "/var/lib/vaguemestre", "vaguemestre", "vaguemestre-passphrase"
	file := data + "/" + config.FileName
	for path, wants := range map[string][]string{
		"systemd/vaguemestre.service": {
			"ExecStart=/usr/bin/vaguemestre serve --config " + file + "\n", "ConditionPathExists=" + file + "\n",
			"User=" + owner + "\n", "LoadCredentialEncrypted=" + credential + ":/etc/credstore.encrypted/" + credential + "\n",
		},
		"sysusers.d/vaguemestre.conf":     {"\nu " + owner + " - ", data},
		"tmpfiles.d/vaguemestre.conf":     {"\nd " + data + " 0700 " + owner + " " + owner + " -\n"},
		"deb/postinst":                    {file},
		"deb/postrm":                      {data},
		"Containerfile":                   {credential, "/data/" + config.FileName},
		"../docs/install.md":              {file, "--name=" + credential + " "},
		"../crypto/keyring/passphrase.go": {`"` + credential + `"`},
	} {
		text := read(t, path)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", path, want)
			}
		}
	}
}

// TestWhatIsPackedExists: a file of this folder that was renamed would be missed
// only when the package is built.
func TestWhatIsPackedExists(t *testing.T) {
	n := 0
	for _, m := range regexp.MustCompile(`"\$(deploy|top)/([A-Za-z0-9./_-]+)"`).FindAllStringSubmatch(read(t, "deb/build.sh"), -1) {
		path := m[2]
		if m[1] == "top" {
			path = "../" + path
		}
		n++
		if _, err := os.Stat(filepath.FromSlash(path)); err != nil {
			t.Error(err)
		}
	}
	if n < 10 {
		t.Errorf("%d files only: the script is written otherwise now", n)
	}
	built := read(t, "build.sh")
	for _, m := range regexp.MustCompile(`(?m)^COPY \S+ (\S+) `).FindAllStringSubmatch(read(t, "Containerfile"), -1) {
		// data is made by whoever builds the image, as its head says.
		if m[1] != "data" && !strings.Contains(built, "OUT/"+m[1]+" ") {
			t.Errorf("build.sh does not make %s, which the Containerfile copies", m[1])
		}
	}
}

// TestNothingErasesTheData: no script of the package may touch it.
func TestNothingErasesTheData(t *testing.T) {
	for _, path := range []string{"deb/postinst", "deb/prerm", "deb/postrm", "tmpfiles.d/vaguemestre.conf"} {
		if m := regexp.MustCompile(`(?m)^\s*([^#\s].*)?\b(rm|rmdir|unlink|deluser|userdel|chown|find)\b.*|^[rRxXD].*`).FindString(read(t, path)); m != "" {
			t.Errorf("%s: %s", path, strings.TrimSpace(m))
		}
	}
}

// TestTokenStaysOffPaper: what init prints ends with a token that gives every
// right; the sheet is handed to other institutions, and a printer keeps what it
// prints.
func TestTokenStaysOffPaper(t *testing.T) {
	manual := read(t, "../docs/install.md")
	_, file, found := strings.Cut(manual, "--telephone '+33 3 00 00 00 00' > ")
	file, _, _ = strings.Cut(file, "\n")
	if !found || file == "" {
		t.Fatal("the file that init writes is not found")
	}
	for line := range strings.Lines(manual) {
		if strings.Contains(line, "lpr") && strings.Contains(line, file) {
			t.Errorf("the token is printed on paper: %s", line)
		}
	}
	if !strings.Contains(manual, "keys sheet --data /var/lib/vaguemestre | lpr") {
		t.Error("the sheet alone is not printed")
	}
}
