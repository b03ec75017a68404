package boltstore

// WithFoldMax folds as soon as that many rows or events are pending, so that a
// short history folds often.
func WithFoldMax(n int) Option { return func(s *Store) { s.foldMax = n } }
