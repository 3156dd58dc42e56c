package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"time"

	"heroes/session"
)

// A Client is a Backend for a task, which must close it.
type Client struct {
	session.Backend
	io.Closer
}

// Reach returns a Backend for a task that may run while a server has the file open, as the same
// user or as root. If a process has the file open, the Backend works through that process, until
// it ends. Otherwise Reach opens the file itself: until it is closed, no server can start.
//
// If the file does not exist, Reach returns an error that is fs.ErrNotExist. It waits up to five
// seconds for a process that has the file open but does not answer. On Windows there is no
// socket, so Reach works only while no server runs.
func Reach(ctx context.Context, file string) (*Client, error) {
	file, err := resolve(file)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if err := checkFolder(filepath.Dir(file)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	for {
		b, err := open(file, 0, 1) // does not wait
		if err == nil {
			return &Client{b, b}, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		r, err := dial(ctx, file)
		if err == nil {
			return &Client{r, r}, nil
		}
		select { // the process may be starting or ending
		case <-ctx.Done():
			return nil, fmt.Errorf("boltstore: another process has the file %s open and does not answer (%w): end it, then try again", file, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func socketOf(file string) string { return file + ".sock" }

// Requests and replies have what any method needs. The aliases keep them out of the package's
// API: net/rpc requires exported types, or types without a name.
type (
	request = struct {
		ID        session.ID
		Owner     session.OwnerHash
		Old, Next []byte
		TTL       time.Duration
		Expires   time.Time
		From      []byte
		Limit     int
	}
	reply = struct {
		Loaded loaded
		Page   page
		Owned  []session.Owned
		Now    time.Time
		OK     bool
		N      int
	}
)

// A service answers the processes that have connected to the socket. A client that gives up does
// not say so, and its change is still made.
type service struct{ b *Backend }

func newServer(b *Backend) *rpc.Server {
	server := rpc.NewServer()
	if err := server.RegisterName("Sessions", service{b}); err != nil {
		panic(err) // no method of service has the form that net/rpc requires
	}
	return server
}

func (s service) PID(_ request, out *reply) error {
	out.N = os.Getpid()
	return nil
}

func (s service) Load(in request, out *reply) (err error) {
	l := &out.Loaded
	l.Record, l.Expires, l.Now, err = s.b.Load(context.Background(), in.ID)
	return err
}

func (s service) Swap(in request, out *reply) (err error) {
	out.OK, err = s.b.Swap(context.Background(), in.ID, in.Old, in.Next, in.TTL)
	return err
}

func (s service) Put(in request, _ *reply) error {
	return s.b.Put(context.Background(), in.ID, in.Next, in.TTL)
}

func (s service) AddOwned(in request, _ *reply) error {
	return s.b.AddOwned(context.Background(), in.Owner, in.ID, in.TTL)
}

func (s service) Owned(in request, out *reply) (err error) {
	out.Owned, out.Now, err = s.b.Owned(context.Background(), in.Owner)
	return err
}

func (s service) RemoveOwned(in request, _ *reply) error {
	return s.b.RemoveOwned(context.Background(), in.Owner, in.ID, in.Expires)
}

func (s service) Page(in request, out *reply) (err error) {
	out.Page, err = s.b.page(context.Background(), in.From)
	return err
}

func (s service) Purge(in request, out *reply) (err error) {
	out.N, err = s.b.step(context.Background(), in.Limit)
	return err
}

func (s service) Clear(request, *reply) error { return s.b.Clear(context.Background()) }

func (s service) Ping(request, *reply) error { return s.b.Ping(context.Background()) }

// A remote is the Backend of another process.
type remote struct {
	client *rpc.Client
	pid    int
}

// dial connects to the process that has the file open, and makes sure that it answers.
func dial(ctx context.Context, file string) (*remote, error) {
	conn, err := connect(ctx, file)
	if err != nil {
		return nil, err
	}
	r := &remote{client: rpc.NewClient(conn)}
	out, err := r.call(ctx, "PID", request{})
	if err != nil {
		r.Close()
		return nil, err
	}
	r.pid = out.N
	return r, nil
}

func (r *remote) Close() error { return r.client.Close() }

func (r *remote) call(ctx context.Context, method string, in request) (reply, error) {
	return await(ctx, func() (out reply, err error) {
		err = r.client.Call("Sessions."+method, in, &out)
		var answer rpc.ServerError
		if err != nil && !errors.As(err, &answer) {
			err = fmt.Errorf("boltstore: the process that has the file open does not answer: %w", err)
		}
		return out, err
	})
}

func (r *remote) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	out, err := r.call(ctx, "Load", request{ID: id})
	return out.Loaded.Record, out.Loaded.Expires, out.Loaded.Now, err
}

func (r *remote) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	out, err := r.call(ctx, "Swap", request{ID: id, Old: bytes.Clone(old), Next: bytes.Clone(next), TTL: ttl})
	return out.OK, err
}

func (r *remote) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	_, err := r.call(ctx, "Put", request{ID: id, Next: bytes.Clone(next), TTL: ttl})
	return err
}

func (r *remote) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	_, err := r.call(ctx, "AddOwned", request{Owner: owner, ID: id, TTL: ttl})
	return err
}

func (r *remote) Owned(ctx context.Context, owner session.OwnerHash) ([]session.Owned, time.Time, error) {
	out, err := r.call(ctx, "Owned", request{Owner: owner})
	return out.Owned, out.Now, err
}

func (r *remote) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	_, err := r.call(ctx, "RemoveOwned", request{Owner: owner, ID: id, Expires: expires})
	return err
}

func (r *remote) Each(ctx context.Context, f func(session.ID, []byte) error) error {
	return each(ctx, func(ctx context.Context, from []byte) (page, error) {
		out, err := r.call(ctx, "Page", request{From: from})
		return out.Page, err
	}, f)
}

func (r *remote) Purge(ctx context.Context, limit int) (int, error) {
	return purge(ctx, limit, func(ctx context.Context, limit int) (int, error) {
		out, err := r.call(ctx, "Purge", request{Limit: limit})
		return out.N, err
	})
}

func (r *remote) Clear(ctx context.Context) error {
	_, err := r.call(ctx, "Clear", request{})
	return err
}

func (r *remote) Ping(ctx context.Context) error {
	_, err := r.call(ctx, "Ping", request{})
	return err
}
