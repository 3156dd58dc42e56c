package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watchMemory notes the most memory that the server's processes have together, until the
// function that it returns is called, which gives it in bytes.
func (s *server) watchMemory() (most func() int) {
	stop, result := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			most = max(most, residentMemory(s.cmd.Process.Pid))
			select {
			case <-stop:
				result <- most
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() int {
		close(stop)
		return <-result
	}
}

// residentMemory adds up what is resident (VmRSS), in bytes, of a process group. What two
// processes share counts twice.
func residentMemory(group int) (sum int) {
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range processes {
		if stat, err := os.ReadFile(path); err == nil { // it may have ended
			if g, pages := parseStat(stat); g == group {
				sum += pages * os.Getpagesize()
			}
		}
	}
	return sum
}

// parseStat reads the process group and the resident pages from /proc/PID/stat: proc(5)'s
// fields 5 and 24. A name, in parentheses, may hold anything.
func parseStat(stat []byte) (group, pages int) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from field 3 on
	if len(fields) < 22 {
		return 0, 0
	}
	group, _ = strconv.Atoi(fields[2])
	pages, _ = strconv.Atoi(fields[21])
	return group, pages
}
