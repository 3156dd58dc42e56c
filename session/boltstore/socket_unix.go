//go:build unix

package boltstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listen serves the Backend at the socket until stop is called. Only a process that has the file
// open may call it: it replaces a socket that a killed process has left.
func (b *Backend) listen() (stop func(), err error) {
	// In a folder that nobody else can enter, the socket can get its mode before others can see it.
	private, err := os.MkdirTemp(filepath.Dir(b.file), ".sock")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	var l *net.UnixListener
	err = shortened(private, func(folder string) (err error) {
		at := filepath.Join(folder, "s")
		if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"}); err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		if err = os.Chmod(at, 0o600); err == nil {
			err = os.Rename(filepath.Join(private, "s"), socketOf(b.file))
		}
		if err != nil {
			l.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the socket %s cannot be created: %w", socketOf(b.file), err)
	}
	own, _ := os.Lstat(socketOf(b.file))
	go serve(l, b)
	return func() {
		if there, err := os.Lstat(socketOf(b.file)); err == nil && os.SameFile(own, there) {
			os.Remove(socketOf(b.file))
		}
		l.Close()
	}, nil
}

// checkFolder refuses a folder in which any user can replace the file and the socket.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("boltstore: every user can write to the folder %s: remove that permission with chmod o-w, or use another folder", folder)
	}
	return nil
}

func serve(l *net.UnixListener, b *Backend) {
	server := newServer(b)
	for {
		conn, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files
			time.Sleep(100 * time.Millisecond)
		case trusted(conn):
			go server.ServeConn(conn)
		default:
			conn.Close()
		}
	}
}

func connect(ctx context.Context, file string) (conn net.Conn, err error) {
	err = shortened(socketOf(file), func(socket string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", socket)
		return err
	})
	return conn, err
}

// shortened calls f with a path to the same place that is short enough for a socket's address,
// which has 104 bytes on some systems.
func shortened(path string, f func(string) error) error {
	if len(path) <= 100 {
		return f(path)
	}
	folder, err := os.MkdirTemp("", "sock")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	link := filepath.Join(folder, "s")
	if err := os.Symlink(path, link); err != nil {
		return err
	}
	return f(link)
}
