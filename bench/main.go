// Command bench sets Heroes beside its peers: it builds and starts them all, checks that
// each answers rightly, drives them with wrk, one after another, for several rounds, and
// writes a table and a chart of the medians.
//
//	go run .
package main

import (
	"context"
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

type settings struct {
	rounds      int
	duration    time.Duration
	connections int
	only        string
	out         string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "how often each is measured; the medians count")
	flag.DurationVar(&s.duration, "duration", 4*time.Second, "how long each measurement takes")
	flag.IntVar(&s.connections, "connections", 32, "how many connections wrk keeps open")
	flag.StringVar(&s.only, "only", "", "part of a name: measure the peers alone that have it")
	flag.StringVar(&s.out, "out", "results", "the folder for latest.md and latest.svg")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("wrk is missing, which drives the peers: install it (Debian's package wrk)")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	peers, left := choose(allPeers(), s.only)
	for _, reason := range left {
		fmt.Println("left out:", reason)
	}
	defer cleanUp()
	for _, p := range peers {
		if err := p.build(ctx, dir); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, p := range peers {
		if err := p.timeStarts(ctx, 5); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, p := range peers {
		if err := p.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		defer p.stop()
		if err := p.check(); err != nil {
			return fmt.Errorf("%s does not answer rightly: %w", p.name, err)
		}
	}
	for round := range s.rounds {
		fmt.Printf("round %d of %d\n", round+1, s.rounds)
		for _, p := range peers {
			if err := p.measure(ctx, s, dir); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}

	table := report(peers, left, s, machine(ctx))
	fmt.Println(table)
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.out, "latest.md"), []byte(table), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, "latest.svg"), []byte(chart(peers)), 0o644)
}

// choose leaves out the peers that were not asked for or lack something.
func choose(all []*peer, only string) (peers []*peer, left []string) {
	for _, p := range all {
		if !strings.Contains(p.name, only) {
			continue
		}
		if p.needs != nil {
			if missing := p.needs(); missing != "" {
				left = append(left, p.name+": "+missing)
				continue
			}
		}
		peers = append(peers, p)
	}
	return peers, left
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
