package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

const (
	credentialName  = "vaguemestre-passphrase" // LoadCredential= of systemd.exec(5)
	environmentName = "VAGUEMESTRE_PASSPHRASE"
	maxPassphrase   = 4 << 10 // bytes
)

// Passphrase finds the passphrase of the private keys: in the systemd
// credential file, then in the environment, then by asking on a terminal, with
// the question on prompt. One final newline of the file is not part of it. It
// returns *PassphraseError when there is none.
func Passphrase(stdin *os.File, prompt io.Writer) ([]byte, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		b, err := fromFile(filepath.Join(dir, credentialName))
		if err == nil {
			return checkPassphrase(b)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, &PassphraseError{cause: err}
		}
	}
	if s, ok := os.LookupEnv(environmentName); ok {
		return checkPassphrase([]byte(s))
	}
	if stdin == nil || !term.IsTerminal(int(stdin.Fd())) {
		return nil, &PassphraseError{cause: errors.New("no credential, no environment variable, no terminal")}
	}
	fmt.Fprint(prompt, "Passphrase of the private keys: ")
	b, err := term.ReadPassword(int(stdin.Fd()))
	fmt.Fprintln(prompt)
	if err != nil {
		return nil, &PassphraseError{cause: err}
	}
	return checkPassphrase(b)
}

func fromFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+2))
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")), nil
}

func checkPassphrase(b []byte) ([]byte, error) {
	switch {
	case len(b) == 0:
		return nil, &PassphraseError{cause: errors.New("it is empty")}
	case len(b) > maxPassphrase:
		return nil, &PassphraseError{cause: errors.New("it is too long")}
	}
	return b, nil
}
