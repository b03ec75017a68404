// Package httpattack plays the named attacks on HTTP and TLS (28 to 49, and 64)
// against the real program, served over TLS on this machine. It holds tests
// only.
//
// # What each attack shows
//
// That it is refused as the test says; that the broker goes on answering others
// meanwhile and afterwards; when all are done, that the journal has not one
// event more and the folder of bodies not one file more, that a lawful
// submission is taken, that no call is left, and that neither a mark that the
// attacks carry (in paths, headers, bodies, names) nor a token stands in the log
// or in the data directory. Each attack comes from an address of its own
// (127.77.0.n), so that the limits of one do not hide another's. A table says
// how many tries each made, and how many were refused.
//
// # Settings
//
// Beside them, what no attack shows: the limits of the admin listener and of the
// socket, the rate of a token, the headers of security, a certificate that is
// renewed by halves. What takes half a minute runs with
// VAGUEMESTRE_HTTPATTACK_LONG=1 alone: the end of an idle connection, a slow
// upload that is lawful, which must not be cut, and one that is not.
//
// # Secrets
//
// In the end the process is killed by SIGABRT where the limits that it was
// started with would allow a core file, and started without its passphrase.
//
// # Sabotage
//
// TestSabotage builds the program without its limits (see package sabotage), and
// wants each attack that they stop to turn red.
//
// # What this does not show
//
// A peer with a certificate of another authority, or an expired one (47, 48):
// no broker calls another over TLS yet, and none asks for a client certificate.
// A header that is folded, but bounds no body, is read as one line with a space,
// as RFC 9112 section 5.2 allows; what its receiver then makes of a space is
// shown for the headers that matter.
package httpattack
