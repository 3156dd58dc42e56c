// Command bench sets Heroes beside its peers: it builds and starts each of them, checks that
// it answers rightly, drives it with wrk, one after another, for several rounds, and writes
// a table and a chart of the medians.
//
//	go run .
//
// A further peer is a program that serves the lesson's pages at PORT, and a line in
// allPeers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// limit ends a run that hangs. A whole one takes 3 times 22 peers of about 10 seconds, 11 minutes,
// after the builds, which take minutes the first time.
const limit = 20 * time.Minute

type settings struct {
	rounds      int
	duration    time.Duration
	connections int
	only        string
	out         string
}

func main() {
	s, err := read(os.Args[1:])
	if err == nil {
		err = runWithin(limit, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(args []string) (s settings, err error) {
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.IntVar(&s.rounds, "rounds", 3, "how often each is measured; the medians count")
	f.DurationVar(&s.duration, "duration", 4*time.Second, "how long each measurement takes, in whole seconds")
	f.IntVar(&s.connections, "connections", 32, "how many connections wrk keeps open")
	f.StringVar(&s.only, "only", "", "parts of names, separated by commas: measure the peers alone that have one")
	f.StringVar(&s.out, "out", "", "the folder for latest.md and latest.svg (default results; with -only none)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.rounds < 1 || s.connections < 2 || s.duration < time.Second || s.duration%time.Second != 0 {
		return s, errors.New("-rounds: at least 1; -connections: at least 2; -duration: whole seconds, at least 1s")
	}
	if s.out == "" && s.only == "" {
		s.out = "results"
	}
	return s, nil
}

// runWithin ends what it started when the time is over and when it is interrupted, too. So it does
// when what reads its output has ended, such as head.
func runWithin(limit time.Duration, s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s: try fewer -rounds or -only", limit))
	defer cancel()
	err := run(ctx, s)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func run(ctx context.Context, s settings) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing, which drives the peers: install it (Debian's package wrk)")
	}
	unlock, err := alone()
	if err != nil {
		return err
	}
	defer unlock()
	dir, err := os.MkdirTemp("", "heroes-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	peers, left := choose(ctx, allPeers(), s.only)
	for _, reason := range left {
		fmt.Println("left out:", reason)
	}
	if len(peers) == 0 {
		return errors.New("there is nothing to measure")
	}
	defer cleanStores(peers)
	if err := prepare(ctx, peers, dir); err != nil {
		return err
	}
	if err := measure(ctx, peers, s, dir); err != nil {
		return err
	}
	table := report(peers, left, s, machine(ctx, peers))
	fmt.Println(table)
	return write(s.out, table, chart(peers))
}

// alone keeps a second run away: they would share the processors and the databases.
func alone() (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "heroes-bench.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("another run of this program is under way: wait for its end")
	}
	return f.Close, nil
}

// choose leaves out the peers that were not asked for, and says which lack something.
func choose(ctx context.Context, all []*peer, only string) (peers []*peer, left []string) {
	reasons := map[*store]string{}
	for _, p := range all {
		if !named(p.name, only) {
			continue
		}
		reason := ""
		if p.needs != nil {
			reason = p.needs(ctx)
		}
		if p.store != nil && reason == "" {
			if _, asked := reasons[p.store]; !asked {
				reasons[p.store] = p.store.claim(ctx)
			}
			reason = reasons[p.store]
		}
		if reason != "" {
			left = append(left, p.name+": "+reason)
			continue
		}
		peers = append(peers, p)
	}
	return peers, left
}

// named is true for a name that has one of the parts.
func named(name, parts string) bool {
	return slices.ContainsFunc(strings.Split(parts, ","), func(part string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(strings.TrimSpace(part)))
	})
}

func prepare(ctx context.Context, peers []*peer, dir string) error {
	fmt.Println("building")
	built := map[string]string{}
	for _, p := range peers {
		if err := p.build(ctx, dir, built); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	fmt.Println("starting")
	for _, p := range peers {
		if err := p.timeStarts(ctx, dir, 5); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// measure takes the peers in turn in each round, so that what else the machine does meets
// them all.
func measure(ctx context.Context, peers []*peer, s settings, dir string) error {
	first, firstPlain := &example{}, &example{}
	for round := range s.rounds {
		fmt.Printf("round %d of %d\n", round+1, s.rounds)
		for _, p := range peers {
			compared := first
			if p.plain {
				compared = firstPlain
			}
			if err := p.round(ctx, s, dir, compared); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

func write(out, table, chart string) error {
	if out == "" {
		return nil
	}
	return errors.Join(
		os.MkdirAll(out, 0o755),
		os.WriteFile(filepath.Join(out, "latest.md"), []byte(table), 0o644),
		os.WriteFile(filepath.Join(out, "latest.svg"), []byte(chart), 0o644),
	)
}
