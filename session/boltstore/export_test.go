package boltstore

import (
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// SetOpenWait changes how long Open waits, until the test ends.
func SetOpenWait(t *testing.T, wait time.Duration) {
	before := openWait
	openWait = wait
	t.Cleanup(func() { openWait = before })
}

// Hang lets every change wait until thaw is called, as a disk does that hangs.
func (b *Backend) Hang() (thaw func(), err error) {
	tx, err := b.db.Begin(true)
	if err != nil {
		return nil, err
	}
	return func() { _ = tx.Rollback() }, nil
}

// Change changes the database.
func (b *Backend) Change(f func(records, expiries *bbolt.Bucket) error) error {
	return b.db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(recordsName), tx.Bucket(expiriesName)) })
}

// Check returns what bbolt finds wrong with the file, and the number of records and of
// expiries that do not belong together.
func (b *Backend) Check() (problems []error, records, expiries, strays int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		for problem := range tx.Check() {
			problems = append(problems, problem)
		}
		index := tx.Bucket(expiriesName)
		expiries = index.Stats().KeyN
		return tx.Bucket(recordsName).ForEach(func(k, v []byte) error {
			records++
			if index.Get(append(append([]byte{}, v[:8]...), k...)) == nil {
				strays++
			}
			return nil
		})
	})
	return problems, records, expiries, strays, err
}

// File returns the path of the file.
func (b *Backend) File() string { return b.file }
