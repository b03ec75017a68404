// Package canary plants marks, words that exist nowhere else, wherever a
// document or a person can say something, plays a full exchange on two brokers,
// and searches what is left in every place that is not the answer to an
// authorised reader. It holds tests only.
//
// # Where marks are planted
//
// Every text of every good example of schemas/testdata that stays valid with a
// mark in it (words, telephone numbers, dates, ids); titles and contents of
// pieces, in clear and compressed; names and functions of actors, numbers,
// reasons and places of acts; idempotency keys; threads; in refused calls, every
// text of the bad examples, names of members, parties, kinds, threads, codes,
// keys, and assertions that are none; in plis and evidences that another program
// sends under true keys, every part (such an assertion too), name, type, header
// and stamp; errors and panics of a carrier; panics of a handler.
//
// # Where they are searched
//
// Both data directories (journal, bodies, keys, configuration), a backup,
// exports without --open, logs at debug level as JSON and as text, the queue's
// log, every error returned, printed in every way, the states that any operator
// may list, temporary files, a dump of all goroutines, and all that go test
// printed, to the trace of a last panic that nobody recovers.
//
// # How
//
// As UTF-8, Latin-1, UTF-16 and decomposed; in capitals, in small letters and
// without accents; each as base64 at the three offsets, hexadecimal, \u, percent,
// quoted-printable, HTML and decimal escapes; broken over lines; inside gzip,
// zlib and zip, and in what base64 and hexadecimal runs decode to, three deep.
// TestForms plants each form and finds it. An export with --open is searched
// too, and must hold the marks: so a search that finds nothing is seen.
// TestSabotage builds the program with leaks of six sorts, and wants each found
// where it leaks.
//
// # A served broker
//
// TestServed does the same with the program as a process: serve, its API, its
// socket, its listener for health and metrics, and its commands. Marks stand
// besides in every header, path and query, in names, types and headers of the
// parts of a form, in malformed JSON, forms and HTTP, in Host, Idempotency-Key
// and tokens, in what the socket and the commands are asked, in names of files,
// and in every value of a faulty configuration. They are searched in whole
// answers (refusals, lists, states, evidences of acts, exports, metrics, health),
// in all that serve and the commands say, in the data directory with a key that
// send has kept, in TMPDIR, in a backup, and in the dump that SIGQUIT makes.
// What a reader is given is kept apart and must hold the marks. The program that
// is searched has its log open to the debug level, and panics where it is told
// to, in the API and beside it: as it is, it has no level to choose and no known
// way to panic. TestServedSabotage adds leaks of seven sorts.
//
// A key of the configuration that is not known is named by its error, since it
// is what the operator must correct; the name of an application is in the log,
// and must have the form of a function's.
//
// # What this does not show
//
// The memory of the process, where plaintext lives, and a core file of it. A file
// that is removed before the end. Marks of fewer than eight characters cannot be
// told from chance, so postal codes, ages and figures are not planted; nor are
// the words of closed lists (what a child is to an adult, a danger, a measure).
package canary
