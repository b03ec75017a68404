// Package ops measures what an operator does to a broker that serves: backups,
// and opening and verifying a large journal. It holds tests only; what must hold
// is asserted on structure, times are printed and recorded.
//
// TestBackupUnderLoad commits from several goroutines while a backup goes on,
// first with a reader of the copy that does not move at all until hundreds of
// commits were answered: a backup that held the writer would never end. Then it
// measures the longest gap between two commits during a backup, and before. The
// copy verifies, and lacks nothing that was answered before it began.
//
// TestLargeJournal generates a journal of VAGUEMESTRE_MESSAGES messages (20,000
// when unset; a million by command), storage only, and prints how long it takes
// to open after a close and after a crash, to verify, and to compact.
//
// When VAGUEMESTRE_RECORD is set they leave docs/runs/backup-<date>.json and
// docs/runs/large-<date>.json. TestSabotage makes a backup hold the writer, and
// requires TestBackupUnderLoad to find it.
package ops
