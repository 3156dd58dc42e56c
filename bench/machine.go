package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// machine names what the figures depend on, as far as it can be found out.
func machine(ctx context.Context, peers []*peer) string {
	parts := []string{processor(), goVersion()}
	parts = append(parts, modules(peers)...)
	for _, program := range []struct {
		name    string
		command []string
	}{
		{"Flask", []string{"/usr/bin/python3", "-c", "import flask; print(flask.__version__)"}},
		{"gunicorn", []string{"/usr/bin/gunicorn", "--version"}},
		{"Python", []string{"/usr/bin/python3", "--version"}},
		{"wrk", []string{"wrk", "--version"}},
	} {
		out, _ := exec.CommandContext(ctx, program.command[0], program.command[1:]...).CombinedOutput() // wrk exits with 1
		if v := regexp.MustCompile(`\d+(\.\d+)+`).Find(out); v != nil {
			parts = append(parts, program.name+" "+string(v))
		}
	}
	for _, s := range []*store{redisStore, postgresStore} {
		if slices.ContainsFunc(peers, func(p *peer) bool { return p.store == s }) {
			parts = append(parts, s.version(ctx))
		}
	}
	return strings.Join(parts, ", ")
}

func processor() string {
	cores := fmt.Sprintf("%d cores", runtime.NumCPU())
	info, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(info); m != nil {
		cores += " of " + strings.Join(strings.Fields(string(m[1])), " ")
	}
	return cores
}

func goVersion() string {
	return "Go " + strings.TrimPrefix(runtime.Version(), "go")
}

// modules reads from the programs themselves which modules are in them.
func modules(peers []*peer) (versions []string) {
	names := []struct{ path, name string }{
		{"github.com/gobuffalo/buffalo", "Buffalo"},
		{"github.com/gobuffalo/plush/v4", "plush"},
		{"github.com/alexedwards/scs/v2", "scs"},
		{"github.com/gofiber/fiber/v3", "fiber"},
	}
	for _, module := range names {
		for _, p := range peers {
			if v := moduleVersion(p, module.path); v != "" {
				versions = append(versions, module.name+" "+v)
				break
			}
		}
	}
	return versions
}

func moduleVersion(p *peer, path string) string {
	if p.source == "" || len(p.command) == 0 {
		return ""
	}
	info, err := buildinfo.ReadFile(p.command[0])
	if err != nil {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return ""
}
