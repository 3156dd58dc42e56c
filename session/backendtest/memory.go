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
	records map[session.ID]entry
	owned   map[session.OwnerHash]map[session.ID]time.Time // until when
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
		m.records, m.owned = map[session.ID]entry{}, map[session.OwnerHash]map[session.ID]time.Time{}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f()
	return nil
}

func (m *Memory) get(id session.ID) (record []byte) {
	if e := m.records[id]; time.Now().Before(e.expires) {
		return e.record
	}
	return nil
}

func (m *Memory) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	err = m.with(ctx, func() {
		now, expires = time.Now(), m.records[id].expires
		record = bytes.Clone(m.get(id))
	})
	return record, expires, now, err
}

func (m *Memory) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (ok bool, err error) {
	err = m.with(ctx, func() {
		there := m.get(id)
		if ok = bytes.Equal(there, old) || bytes.Equal(there, next); ok {
			m.records[id] = entry{bytes.Clone(next), time.Now().Add(max(time.Millisecond, ttl))}
		}
	})
	return ok, err
}

func (m *Memory) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	return m.with(ctx, func() {
		m.records[id] = entry{bytes.Clone(next), time.Now().Add(max(time.Millisecond, ttl))}
	})
}

func (m *Memory) Each(ctx context.Context, f func(session.ID, []byte) error) (err error) {
	live := map[session.ID][]byte{}
	if err := m.with(ctx, func() {
		for id := range m.records {
			if record := m.get(id); record != nil {
				live[id] = record
			}
		}
	}); err != nil {
		return err
	}
	for id, record := range live {
		if err := f(id, record); err != nil {
			return err
		}
	}
	return nil
}

func (m *Memory) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	return m.with(ctx, func() {
		if m.owned[owner] == nil {
			m.owned[owner] = map[session.ID]time.Time{}
		}
		m.owned[owner][id] = time.Now().Add(max(time.Millisecond, ttl)).Truncate(time.Millisecond)
	})
}

func (m *Memory) Owned(ctx context.Context, owner session.OwnerHash) (owned []session.Owned, now time.Time, err error) {
	err = m.with(ctx, func() {
		now = time.Now()
		for id, expires := range m.owned[owner] {
			if now.Before(expires) {
				owned = append(owned, session.Owned{ID: id, Expires: expires})
			}
		}
	})
	return owned, now, err
}

func (m *Memory) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	return m.with(ctx, func() {
		if !m.owned[owner][id].After(expires) {
			delete(m.owned[owner], id)
		}
	})
}

func (m *Memory) Purge(ctx context.Context, limit int) (n int, err error) {
	err = m.with(ctx, func() {
		for id := range m.records {
			if n < limit && m.get(id) == nil {
				delete(m.records, id)
				n++
			}
		}
		for _, entries := range m.owned {
			for id, expires := range entries {
				if n < limit && !time.Now().Before(expires) {
					delete(entries, id)
					n++
				}
			}
		}
	})
	return n, err
}

func (m *Memory) Clear(ctx context.Context) error {
	return m.with(ctx, func() {
		clear(m.records)
		clear(m.owned)
	})
}

func (m *Memory) Ping(ctx context.Context) error {
	return m.with(ctx, func() {})
}
