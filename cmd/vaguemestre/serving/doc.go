// Package serving is the process of `vaguemestre serve`: listeners, health,
// metrics, the talk with systemd, and the end.
//
// # Who is heard where
//
//	[api] listen     applications, by token; TLS unless it is this machine only
//	DATA/admin.sock  commands of the owner of the data directory (0600, no token)
//	[admin] listen   /healthz, /readyz, /metrics; this machine only, asks nobody
//
// The handlers of the first are given: this package knows no route of the API.
// On the socket the operator's routes (Operator) stand beside them. A command
// that finds no broker running calls the same handler in its own process
// (InProcess), so that it does exactly what it does beside one.
//
// # Life
//
// Run takes a node that is open. It answers on the socket first, then delivers,
// then opens to applications, and tells systemd READY=1. WATCHDOG=1 follows
// while, and only while, the committer of the journal answers: a broker that
// cannot make anything durable is to be restarted.
//
// When the context ends (the first signal) it drains: /readyz answers 503, what
// would begin something is refused with 503 and Retry-After, calls that are
// being served come to their end, and what is due is delivered; all that within
// Options.Grace. What is not delivered then waits in the journal. A second signal
// ends the process by its own effect: nothing that was answered is lost by that.
// A journal whose write failed ends Run at once, with journal.ErrFailed.
//
// # Operator's routes
//
// They are for the commands of the same version, and no public interface. An
// answer is JSON, JSON lines, or a folder: multipart/mixed whose parts are
// files (header Vaguemestre-File), in constant memory and of unknown length,
// ending with one part without that header that says how it went. An error is
// a Problem (RFC 9457), which carries the hint and the exit code of the command.
//
// # What is said
//
// No log line, metric or health detail holds an id of a pli, an address or a
// text from outside; parties and brokers are named, since they are functions.
package serving
