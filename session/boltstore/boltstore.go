// Package boltstore keeps sessions in a file on a local disk, without a server. One process at
// a time can open the file. Tasks of the same program, such as one that revokes a session, call
// Reach: it uses the process that has the file open, through a Unix socket beside the file that
// only its own user can open.
//
// A change is on the disk before it is acknowledged. Changes that arrive while the disk is busy
// share the next transaction.
//
// The file never shrinks. It reuses the space of deleted records, so it stops growing if Purge
// is called regularly. To make it smaller, stop the program and run "bbolt compact". Each change
// also writes the list of unused pages, so changes are slower after a purge of very many records,
// until new records use the space.
//
// The file is a bbolt database with two buckets:
//
//	records   the session.ID: 8 bytes of expiry, then the sealed session
//	expiries  8 bytes of expiry, then the session.ID: nothing
//
// An owner's session has a second record, under the session.OwnerHash and the session.ID, of one
// byte.
//
// An expiry is Unix time in milliseconds by the machine's clock, big-endian.
package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"heroes/session"

	"go.etcd.io/bbolt"
)

// Backend is a session.Backend.
type Backend struct {
	db      *bbolt.DB
	file    string
	info    os.FileInfo // of the file that is open
	broken  atomic.Pointer[error]
	changes chan change
	closed  chan struct{}
	close   func() error
}

var _ session.Backend = (*Backend)(nil)

var recordsName, expiriesName = []byte("records"), []byte("expiries")

// errLocked is bbolt's error if another process has the file open.
//
//lint:ignore SA1019 bbolt v1.3 has it only here
var errLocked = bbolt.ErrTimeout

var (
	errDamaged  = errors.New("boltstore: the file is damaged")
	errClosed   = errors.New("boltstore: the file is closed")
	errReplaced = errors.New("boltstore: the file was replaced or deleted while it was open: restart the program")
)

const letThisUser = "let this user read and write the file and its folder, or choose another file"

// openWait is how long Open waits for another process to end, and Reach for one to answer.
var openWait = 5 * time.Second

// Open opens the file, which it creates with mode 0600 if it does not exist, in a folder that it
// creates with mode 0700. If another process has the file open, Open waits up to five seconds
// for it to end. The error then contains its process ID, if it answers. Open also fails if the
// file is damaged or of another program, if every user can write to its folder, and if the socket,
// file + ".sock", cannot be created.
func Open(file string) (*Backend, error) {
	file, err := resolve(file)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("boltstore: %w: %s", err, letThisUser)
	}
	if err := checkFolder(filepath.Dir(file)); err != nil {
		return nil, err
	}
	b, err := open(file, os.O_CREATE, openWait)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("boltstore: %s has the file %s open, and only one process can: end it, then start this one again", holder(file), file)
	}
	return b, err
}

// resolve returns the path that every process has for the file, whatever links lead to it.
func resolve(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	return path, nil // it does not exist yet
}

func holder(file string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := dial(ctx, file)
	if err != nil {
		return "another process"
	}
	defer r.Close()
	return fmt.Sprintf("process %d", r.pid)
}

// open opens the file. It creates it if create is os.O_CREATE and not if it is 0.
func open(file string, create int, wait time.Duration) (b *Backend, err error) {
	var f *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page beyond the end of the file
	defer func() {
		if p := recover(); p != nil { // bbolt panics if a page is not what it should be, and keeps the lock
			b, err = nil, unusable(file, p)
		}
	}()
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: wait, OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		f, err = os.OpenFile(name, flag&^os.O_CREATE|create, mode)
		return f, err
	}})
	switch err.(type) {
	case nil:
	case *fs.PathError, syscall.Errno:
		fix := letThisUser
		if create == 0 && errors.Is(err, fs.ErrNotExist) {
			fix = "the application creates it when it starts"
		}
		return nil, fmt.Errorf("boltstore: opening %s: %w: %s", file, err, fix)
	default:
		if err == errLocked {
			return nil, err
		}
		return nil, unusable(file, err)
	}
	b = &Backend{db: db, file: file, changes: make(chan change), closed: make(chan struct{})}
	stop := func() {}
	if b.info, err = f.Stat(); err == nil {
		if err = db.Update(prepare); err == nil {
			stop, err = b.listen()
		}
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("boltstore: opening %s: %w", file, err)
	}
	if folder, err := os.Open(filepath.Dir(file)); err == nil {
		_ = folder.Sync() // so that a new file is still there after a power failure; Windows cannot
		folder.Close()
	}
	go b.write()
	b.close = sync.OnceValue(func() error {
		stop() // first, because the next process puts its socket in the same place
		close(b.closed)
		if err := b.broken.Load(); err != nil {
			return *err
		}
		return db.Close()
	})
	return b, nil
}

func unusable(file string, why any) error {
	return fmt.Errorf("boltstore: %s is damaged or not a file of sessions (%v): move it away, and a new one will be created", file, why)
}

// prepare creates the buckets in a new file.
func prepare(tx *bbolt.Tx) error {
	names := 0
	if err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if names++; !bytes.Equal(name, recordsName) && !bytes.Equal(name, expiriesName) {
			return errors.New("it is a database of another program: choose another file")
		}
		return nil
	}); err != nil || names == 2 {
		return err
	}
	if names != 0 {
		return errors.New("it is damaged, and one of its two buckets is missing: move it away, and a new one will be created")
	}
	return create(tx)
}

func create(tx *bbolt.Tx) error {
	_, err1 := tx.CreateBucket(recordsName)
	_, err2 := tx.CreateBucket(expiriesName)
	return cmp.Or(err1, err2)
}

// Close closes the file. Other methods return an error afterwards. If the file was found to be
// damaged, Close returns that error, and the file stays locked until the program ends.
func (b *Backend) Close() error { return b.close() }

// await returns what f returns, or an error as soon as ctx ends. f then continues, so it must
// not use anything that its caller may change.
func await[T any](ctx context.Context, f func() (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.result, o.err = f()
		done <- o
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return result, o.err
		}
		return o.result, nil
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// guard returns a panic in bbolt, or at a missing page, as an error. It would end the program
// otherwise. As bbolt then keeps its locks, every later call returns that error at once.
func (b *Backend) guard(f func() error) (err error) {
	if err := b.broken.Load(); err != nil {
		return *err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
			b.broken.Store(&err)
		}
	}()
	return f()
}

// view calls f in a transaction that only reads. f copies what it returns.
func view[T any](ctx context.Context, b *Backend, f func(*bbolt.Tx) (T, error)) (T, error) {
	return await(ctx, func() (result T, err error) {
		err = b.guard(func() error {
			return b.db.View(func(tx *bbolt.Tx) (err error) {
				result, err = f(tx)
				return err
			})
		})
		return result, err
	})
}

// update calls f, sometimes twice, in a transaction that is on the disk when update returns. It
// does not call f once ctx has ended: a change that its caller has given up should not happen
// later.
func update[T any](ctx context.Context, b *Backend, f func(*bbolt.Tx) (T, error)) (T, error) {
	return await(ctx, func() (result T, err error) {
		var ended error
		c := change{done: make(chan error, 1), do: func(tx *bbolt.Tx) (err error) {
			if ended = ctx.Err(); ended == nil {
				result, err = f(tx)
			}
			return err
		}}
		select {
		case b.changes <- c:
			err = <-c.done // before result and ended are read
			return result, cmp.Or(err, ended)
		case <-ctx.Done():
			return result, ctx.Err()
		case <-b.closed:
			return result, errClosed
		}
	})
}

// A change waits for its turn in a transaction.
type change struct {
	do   func(*bbolt.Tx) error
	done chan error
}

// mostChanges is how many share a transaction.
const mostChanges = 1000

// write carries out the changes until the file is closed.
func (b *Backend) write() {
	for {
		var batch []change
		select {
		case c := <-b.changes:
			batch = append(batch, c)
		case <-b.closed:
			return
		}
		for more := true; more && len(batch) < mostChanges; {
			select {
			case c := <-b.changes:
				batch = append(batch, c)
			default:
				more = false
			}
		}
		err := b.commit(batch)
		for _, c := range batch {
			if err != nil && len(batch) > 1 { // it may be another's fault
				c.done <- b.commit([]change{c})
			} else {
				c.done <- err
			}
		}
	}
}

// commit carries out a batch in one transaction, or nothing of it.
func (b *Backend) commit(batch []change) error {
	return b.guard(func() error {
		if err := b.inPlace(); err != nil {
			return err
		}
		return b.db.Update(func(tx *bbolt.Tx) error {
			for _, c := range batch {
				if err := c.do(tx); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// inPlace returns an error if what is changed would be gone after a restart.
func (b *Backend) inPlace() error {
	if info, err := os.Stat(b.file); err != nil || !os.SameFile(info, b.info) {
		return errReplaced
	}
	return nil
}

func now() int64 { return time.Now().UnixMilli() }

func expiryKey(expires int64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(expires)), key...)
}

// split returns the parts of a value of the bucket records. A missing record expired long ago.
func split(value []byte) (expires int64, record []byte, err error) {
	if value == nil {
		return 0, nil, nil
	}
	if len(value) < 8 {
		return 0, nil, errDamaged
	}
	return int64(binary.BigEndian.Uint64(value)), value[8:], nil
}

type loaded = struct {
	Record       []byte
	Expires, Now time.Time
}

func (b *Backend) Load(ctx context.Context, id session.ID) (record []byte, expires, at time.Time, err error) {
	l, err := view(ctx, b, func(tx *bbolt.Tx) (l loaded, err error) {
		expires, record, err := split(tx.Bucket(recordsName).Get(id[:]))
		if at := now(); at < expires {
			l = loaded{bytes.Clone(record), time.UnixMilli(expires), time.UnixMilli(at)}
		}
		return l, err
	})
	return l.Record, l.Expires, l.Now, err
}

func (b *Backend) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	old, next = bytes.Clone(old), bytes.Clone(next)
	return b.change(ctx, id[:], next, ttl, func(there []byte) bool {
		return bytes.Equal(there, old) || bytes.Equal(there, next)
	})
}

func (b *Backend) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	return b.put(ctx, id[:], bytes.Clone(next), ttl)
}

func (b *Backend) put(ctx context.Context, key, next []byte, ttl time.Duration) error {
	_, err := b.change(ctx, key, next, ttl, func([]byte) bool { return true })
	return err
}

// ownedKey returns the key of the record that says that a session is an owner's.
func ownedKey(owner session.OwnerHash, id session.ID) []byte { return append(owner[:], id[:]...) }

func (b *Backend) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	return b.put(ctx, ownedKey(owner, id), []byte{1}, ttl)
}

func (b *Backend) Owned(ctx context.Context, owner session.OwnerHash) (owned []session.Owned, at time.Time, err error) {
	at = time.UnixMilli(now())
	owned, err = view(ctx, b, func(tx *bbolt.Tx) (owned []session.Owned, err error) {
		c := tx.Bucket(recordsName).Cursor()
		for key, value := c.Seek(owner[:]); bytes.HasPrefix(key, owner[:]); key, value = c.Next() {
			expires, _, err := split(value)
			if err != nil {
				return nil, err
			}
			if len(key) == entrySize && at.UnixMilli() < expires {
				owned = append(owned, session.Owned{ID: session.ID(key[len(owner):]), Expires: time.UnixMilli(expires)})
			}
		}
		return owned, nil
	})
	return owned, at, err
}

func (b *Backend) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	_, err := update(ctx, b, func(tx *bbolt.Tx) (none struct{}, err error) {
		records, key := tx.Bucket(recordsName), ownedKey(owner, id)
		at, record, err := split(records.Get(key))
		if record == nil || at > expires.UnixMilli() {
			return none, err
		}
		return none, cmp.Or(tx.Bucket(expiriesName).Delete(expiryKey(at, key)), records.Delete(key))
	})
	return err
}

// change stores next under key if may accepts what is there: nil if there is no record or it
// has expired.
func (b *Backend) change(ctx context.Context, key, next []byte, ttl time.Duration, may func(there []byte) bool) (bool, error) {
	return update(ctx, b, func(tx *bbolt.Tx) (bool, error) {
		records, expiries, at := tx.Bucket(recordsName), tx.Bucket(expiriesName), now()
		expires, there, err := split(records.Get(key))
		if err != nil {
			return false, err
		}
		if at >= expires {
			there = nil
		}
		if !may(there) {
			return false, nil
		}
		before, after := expiryKey(expires, key), expiryKey(at+max(1, ttl.Milliseconds()), key)
		return true, cmp.Or(
			expiries.Delete(before),
			expiries.Put(after, nil),
			records.Put(key, append(after[:8:8], next...)))
	})
}

// A page is a part of a walk. Next is the key at which the next page begins, nil after the last.
type page = struct {
	Items []item
	Next  []byte
}

type item = struct {
	ID     session.ID
	Record []byte
}

const (
	idSize    = len(session.ID{})
	entrySize = len(session.OwnerHash{}) + idSize
)

// pageSize and pageBytes limit what one transaction reads, and stepSize what one deletes.
const (
	pageSize  = 500
	pageBytes = 1 << 20
	stepSize  = 500
)

func (b *Backend) Each(ctx context.Context, f func(session.ID, []byte) error) error {
	return each(ctx, b.page, f)
}

// each calls f between the transactions, so f may take long, and change records.
func each(ctx context.Context, read func(context.Context, []byte) (page, error), f func(session.ID, []byte) error) error {
	for from := []byte{}; from != nil; {
		p, err := read(ctx, from)
		if err != nil {
			return err
		}
		for _, i := range p.Items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(i.ID, i.Record); err != nil {
				return err
			}
		}
		from = p.Next
	}
	return nil
}

func (b *Backend) page(ctx context.Context, from []byte) (page, error) {
	return view(ctx, b, func(tx *bbolt.Tx) (p page, err error) {
		c, at, seen, size := tx.Bucket(recordsName).Cursor(), now(), 0, 0
		for key, value := c.Seek(from); key != nil; key, value = c.Next() {
			if seen++; seen > pageSize || size > pageBytes {
				p.Next = bytes.Clone(key)
				break
			}
			expires, record, err := split(value)
			if err != nil || len(key) != idSize && len(key) != entrySize {
				return p, errDamaged
			}
			if at < expires && len(key) == idSize {
				p.Items = append(p.Items, item{session.ID(key), bytes.Clone(record)})
				size += len(record)
			}
		}
		return p, nil
	})
}

func (b *Backend) Purge(ctx context.Context, limit int) (int, error) {
	return purge(ctx, limit, b.step)
}

// purge purges in steps, between which others can write.
func purge(ctx context.Context, limit int, step func(context.Context, int) (int, error)) (deleted int, err error) {
	for deleted < limit {
		most := min(limit-deleted, stepSize)
		n, err := step(ctx, most)
		deleted += n
		if err != nil || n < most {
			return deleted, err
		}
	}
	return deleted, nil
}

func (b *Backend) step(ctx context.Context, limit int) (int, error) {
	return update(ctx, b, func(tx *bbolt.Tx) (n int, err error) {
		records, expiries := tx.Bucket(recordsName), tx.Bucket(expiriesName)
		var expired [][]byte // found first, because a cursor does not survive a deletion
		c, end := expiries.Cursor(), expiryKey(now()+1, nil)
		for k, _ := c.First(); k != nil && bytes.Compare(k, end) < 0 && len(expired) < limit; k, _ = c.Next() {
			expired = append(expired, bytes.Clone(k))
		}
		for _, k := range expired {
			if len(k) > 8 && bytes.HasPrefix(records.Get(k[8:]), k[:8]) { // otherwise no record belongs to it
				err = records.Delete(k[8:])
				n++
			}
			if err = cmp.Or(err, expiries.Delete(k)); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
}

func (b *Backend) Clear(ctx context.Context) error {
	_, err := update(ctx, b, func(tx *bbolt.Tx) (none struct{}, err error) {
		return none, cmp.Or(tx.DeleteBucket(recordsName), tx.DeleteBucket(expiriesName), create(tx))
	})
	return err
}

// Ping also returns an error if the file was replaced or deleted while it was open.
func (b *Backend) Ping(ctx context.Context) error {
	_, err := view(ctx, b, func(*bbolt.Tx) (none struct{}, err error) { return none, b.inPlace() })
	return err
}
