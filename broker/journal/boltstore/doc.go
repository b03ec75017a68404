// Package boltstore keeps a journal in one bbolt file, DATA/journal.db, and
// large bodies in files beside it, DATA/bodies/<aa>/<sha256>.
//
// # Buckets
//
// Every event has a position: its number counted over all logs of the file.
// Integers in keys and rows are 8 bytes, big-endian; times are milliseconds
// since 1970; "lp" is a length as unsigned varint, then the bytes; 00 is a NUL,
// which no name contains. "#" is position << 8 | index in the event.
//
//	meta          "format" → "vaguemestre journal 2"; "broker" → its name; "rows" → a position; "sum" → 32 bytes
//	logs          position of event 0 → lp origin, size, 32 bytes root, frontier (32 bytes a node)
//	checkpoints   position of event 0 → lp text, lp signature: the last kept
//	events        position → lp leaf, 16 bytes salt, record
//	tiles         position of event 0, level (1 byte), index → hashes, 32 bytes each
//	objects       # → bytes
//	object.index  first 8 bytes of the SHA-256, # → nothing
//	blobs         name → #, size, 32 bytes SHA-256, 1 byte: 1 inline
//	blob.bytes    # → bytes
//	puts          space 00 key → value
//	items         # (Seq) → item
//	lanes         topic 00 dest 00 lane 00, 1 byte: 0 urgent, Seq → nothing; named lanes only
//	due           topic 00 dest 00, 1 byte: 0 urgent, due, Seq → nothing; one row per lane, its head
//	counts        topic 00 dest → pending items
//	letters       Seq → item
//	timers        key → due, payload
//	timer.due     due, key → nothing
//
// An item is: entered, due (0 until it is retried), attempts, 1 byte: 1 urgent, then lp topic, dest,
// lane, reason, payload.
//
// # Derived rows
//
// object.index, blobs, puts and all that is work or timer follow from the
// records. A commit writes the events, with their objects and blobs, each in
// order of position: it touches the last page of each. What the records change
// in the derived buckets stays in memory, under every View as if it were in the
// file, and is folded into it by thousands of rows: written in the order of
// keys, and not at all where a later record took the row away again. (In no
// order, and with each commit, they cost half of all CPU time when it was
// measured.) meta "rows" is the position up to which they are in the file; Open
// derives again what comes after. Close folds.
//
// meta "sum" is the sum of the digests of the derived rows that are in the file and of "rows",
// SHA-256(bucket 1 byte, lp key, value) as four big-endian words, each modulo
// 2^64. Open compares it, for bbolt trusts its pages: an idempotency key that a
// disk altered would let a submission be accepted twice. What else is read is
// held against its digest each time (ErrDamaged). A file of format 1 is the
// same without the sum; Open adds it.
//
// Prefixes in object.index may collide: an object found is always compared with
// its whole digest.
//
// A tile (height 8) of level 0 is written when its 256 leaves are there, and
// recomputed from the leaves until then; those above grow with each tile under
// them. The frontier gives the root without reading any.
//
// # Lanes
//
// The head of a lane is its first urgent item, or its first. It alone has a
// row in due: ending it gives the next one its row in the same transaction.
// An item whose lane is "" is its own lane.
//
// # Durability
//
// A commit of bbolt shows its state to new readers after it wrote the meta
// page and before that is synced. A View that got such a state waits until it
// is durable. After a failed write neither View nor Update answers any more.
// Open syncs the file before it reads it: a process that was killed may have
// written what it did not sync, and nobody is answered from that.
//
// # Copies
//
// A backup is the file followed by one page that holds the copy mark again and
// again: no flipped bit hides it. Open begins a new log in such a file, then
// overwrites the marks: a crash between the two begins one log more, never one
// less. A file that was copied otherwise
// cannot be told from the original: the heads that others keep tell.
//
// Erasing a blob frees its pages without overwriting them: ciphertext may stay
// in the file until the pages are used again or the file is compacted.
//
// # Compaction
//
// Compact copies the buckets to journal.db.new-* in the order of their keys,
// from one state while commits go on, then what was committed since; the last of
// it with the writer held. The copy is fsynced, renamed over journal.db and the
// directory fsynced before the next commit, which goes to the new file. Rows are
// not folded meanwhile. Views that read the old file end on it.
package boltstore
