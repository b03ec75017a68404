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
// # What this does not show
//
// The memory of the process, where plaintext lives, and a core file of it. A file
// that is removed before the end. Marks of fewer than eight characters cannot be
// told from chance, so postal codes, ages and figures are not planted; nor are
// the words of closed lists (what a child is to an adult, a danger, a measure).
package canary
