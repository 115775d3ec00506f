package oauth

import "sync"

// A Store keeps tokens and clients. Values are secret. Methods may be called
// concurrently.
type Store interface {
	// Get returns what was put under key.
	Get(key string) (value []byte, ok bool)
	// Put keeps value under key; nil forgets the key.
	Put(key string, value []byte) error
}

// A Memory keeps values until the process ends. When it is full, it forgets one
// for each new one.
type Memory struct {
	mu     sync.Mutex // guards values
	values map[string][]byte
}

// maxMemory is how many values a Memory keeps.
const maxMemory = 20_000

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{values: make(map[string][]byte)} }

// Get implements [Store].
func (m *Memory) Get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	return v, ok
}

// Put implements [Store]. It never fails.
func (m *Memory) Put(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if value == nil {
		delete(m.values, key)
		return nil
	}
	if _, known := m.values[key]; !known && len(m.values) >= maxMemory {
		for other := range m.values {
			delete(m.values, other)
			break
		}
	}
	m.values[key] = value
	return nil
}
