module vaguemestre

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0 // configuration; refuses a département code read as a number
	github.com/ProtonMail/go-crypto v1.5.2 // OpenPGP; earlier versions panic on hostile input
	github.com/ThreeDotsLabs/watermill v1.5.1 // topics, router, and the conformance suite of the queue
	github.com/go-playground/validator/v10 v10.30.6 // rules of the documents
	github.com/hanwen/go-fuse/v2 v2.12.1 // the directory that records and fails writes, tests only
	github.com/rogpeppe/go-internal v1.16.0 // testscript: the binary's scripts
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // independent check of the schemas, tests only
	github.com/spf13/cobra v1.10.2 // commands, completions
	github.com/spf13/pflag v1.0.10 // flags of cobra, named in a signature
	github.com/tidwall/btree v1.8.2 // rows that the journal has not written yet, shared by readers
	go.etcd.io/bbolt v1.5.0 // the journal's file
	golang.org/x/mod v0.42.0 // sumdb/tlog: RFC 6962 tree
	golang.org/x/term v0.47.0 // passphrase prompt
	pgregory.net/rapid v1.3.0 // properties, tests only
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/cloudflare/circl v1.6.3 // indirect
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/gabriel-vasile/mimetype v1.4.16 // indirect
	github.com/go-playground/locales v0.14.2 // indirect
	github.com/go-playground/universal-translator v0.18.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/leodido/go-urn v1.5.0 // indirect
	github.com/lithammer/shortuuid/v3 v3.0.7 // indirect
	github.com/oklog/ulid v1.3.1 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/sony/gobreaker v1.0.0 // indirect
	github.com/stretchr/testify v1.11.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
