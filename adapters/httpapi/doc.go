// Package httpapi is the way in for other programs: one HTTP API, in two
// forms. Public is what applications call, each with a token of its own; Local
// is the same routes for whoever runs the broker, over a socket that only its
// owner can open. Both go through the same handlers, the same rules and the same
// refusals.
//
// # Routes
//
// The table in routes.go is the only list of them; openapi.json, which is
// served, is held to it by a test, both ways. A route names the right that it
// takes. Who asks, whether its token gives that right, how often it may ask and
// how much it may send are all judged before one byte of a body is read.
//
// # The front
//
// Every listener of a broker is a Server: also those whose handlers are not of
// this package. Before any handler it refuses a body of unknown length (so that
// no two programs can read the end of a request in two ways), a method that is
// not meant, and a Host that is not the listener's; it ends the connection of
// what it refused. Around the handler it holds the caller to a pace: a body
// that would fit in 15 seconds at 16 KiB a second gets 15 seconds, a larger one
// 15 for each step and that pace over 30; an answer likewise. Only the time
// that the caller takes is counted. A body that was not read to its end never
// gets an answer of success. Who shows no valid token is counted by address.
//
// # Sending
//
// POST /v1/messages takes application/json, for a document without pieces, or
// multipart/form-data (RFC 7578) whose first part is "message" and whose other
// parts are "piece", one for each piece that the document lists, in its order.
// Pieces stream from the connection to the sealed body: nothing of them is kept
// in clear, in memory or on disk. The length must be declared. A faulty message
// is refused before the pieces are read; an upload that ends early leaves
// nothing. An upload takes the time it needs as long as it goes on: see Server.
//
// The Idempotency-Key is mandatory: the same key and the same submission give
// the receipt that was given first, however often.
//
// # Reading
//
// A recipient's first read of a document, its pieces or its summary signs
// "fetched", once, before the content leaves. It never signs "opened": that a
// person opened a pli is an act, which somebody says. Lists and states never
// need the content opened, and hold none; only the filter by thread opens plis,
// a bounded number for each request.
//
// What a party may not see does not exist: the answer for a pli of others and
// for one that was never there is the same, byte for byte.
//
// A pli that is withheld (quarantined) is for a person: an application is
// refused; Local shows it, and journals that it did, and lets it through once a
// person has confirmed it by telephone (POST /admin/v1/messages/{id}/release).
//
// # Errors
//
// Every refusal is application/problem+json (RFC 9457) with a code of the
// closed list in problem.go. Documents are refused with the path, the code and
// the French sentence of every faulty field, never its value.
//
// # What is kept out of logs
//
// One line for each request: route pattern, status, duration, sizes,
// application, and the id of the pli where the route has one. No path, no
// query, no header value, no body, no name of a person or of a file.
package httpapi
