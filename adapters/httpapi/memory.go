package httpapi

import "sync"

// memory remembers some things about some plis, and may forget any at any
// time: nothing depends on it but speed.
type memory[V any] struct {
	mu    sync.Mutex
	held  map[string]V // guarded by mu
	order []string     // oldest first; guarded by mu
}

const maxRemembered = 20_000

func newMemory[V any]() *memory[V] { return &memory[V]{held: map[string]V{}} }

func (m *memory[V]) put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.held[key]; known {
		return
	}
	m.held[key] = v
	m.order = append(m.order, key)
	if len(m.order) > maxRemembered {
		delete(m.held, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *memory[V]) get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.held[key]
	return v, ok
}
