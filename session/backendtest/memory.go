package backendtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"heroes/session"
)

// Memory is a session.Backend for tests.
type Memory struct {
	mu      sync.Mutex
	records map[session.Key]entry
	down    bool
}

type entry struct {
	record  []byte
	expires time.Time
}

var _ session.Backend = (*Memory)(nil)

// SetDown makes every call fail, or none.
func (m *Memory) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// with calls f alone, unless the backend is down or ctx has ended.
func (m *Memory) with(ctx context.Context, f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("connection refused")
	}
	if m.records == nil {
		m.records = map[session.Key]entry{}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f()
	return nil
}

func (m *Memory) get(key session.Key) (record []byte) {
	if e := m.records[key]; time.Now().Before(e.expires) {
		return e.record
	}
	return nil
}

func (m *Memory) Load(ctx context.Context, key session.Key) (record []byte, expires, now time.Time, err error) {
	err = m.with(ctx, func() {
		now, expires = time.Now(), m.records[key].expires
		record = bytes.Clone(m.get(key))
	})
	return record, expires, now, err
}

func (m *Memory) Swap(ctx context.Context, key session.Key, old, next []byte, ttl time.Duration) (ok bool, err error) {
	err = m.with(ctx, func() {
		there := m.get(key)
		if ok = bytes.Equal(there, old) || bytes.Equal(there, next); ok {
			m.records[key] = entry{bytes.Clone(next), time.Now().Add(max(time.Millisecond, ttl))}
		}
	})
	return ok, err
}

func (m *Memory) Put(ctx context.Context, key session.Key, next []byte, ttl time.Duration) error {
	return m.with(ctx, func() {
		m.records[key] = entry{bytes.Clone(next), time.Now().Add(max(time.Millisecond, ttl))}
	})
}

func (m *Memory) Each(ctx context.Context, f func(session.Key, []byte) error) (err error) {
	live := map[session.Key][]byte{}
	if err := m.with(ctx, func() {
		for key := range m.records {
			if record := m.get(key); record != nil {
				live[key] = record
			}
		}
	}); err != nil {
		return err
	}
	for key, record := range live {
		if err := f(key, record); err != nil {
			return err
		}
	}
	return nil
}

func (m *Memory) Purge(ctx context.Context, limit int) (n int, err error) {
	err = m.with(ctx, func() {
		for key := range m.records {
			if n < limit && m.get(key) == nil {
				delete(m.records, key)
				n++
			}
		}
	})
	return n, err
}

func (m *Memory) Clear(ctx context.Context) error {
	return m.with(ctx, func() { clear(m.records) })
}

func (m *Memory) Ping(ctx context.Context) error {
	return m.with(ctx, func() {})
}
