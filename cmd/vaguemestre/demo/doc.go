// Package demo plays one exchange between two brokers of one process, and
// proves it: real keys, real journals, the real clock, sample papers about
// persons who do not exist.
//
// # The story
//
// One situation in five plis, then one pli that nobody answers in time:
//
//	1 signalement  ase-59 → parquet-lille                    opened, taken in charge
//	2 OPP          parquet-lille → ase-59, copy to je-lille  opened, executed
//	3 requête      parquet-lille → je-lille, copy to ase-59  registered by the greffe
//	4 décision     je-lille → ase-59, parquet-lille          taken in charge; registered
//	5 suites       parquet-lille → ase-59                    taken in charge
//	6 signalement  ase-59 → parquet-lille-nuit               overdue, then taken in charge
//
// Each scene begins when the evidences of the one before have come to the
// journal of the sender. A scene that never ends is a *MissingError that names
// it.
//
// # What is proven
//
// When nothing is left to carry, every pli is exported by the home of its
// sender and by the homes of its recipients, and each export is verified
// against the anchors; every evidence that the story implies must be there,
// signed by whom the table of events says. Then both journals are closed and
// verified as files. Play returns a Result only if all of that held.
//
// # What is shown
//
// Ids, kinds, parties, events, times and fingerprints. Never what a paper or a
// detail says, nor who acted: the terminal and the page of a demonstration are
// photographed and pasted.
package demo
