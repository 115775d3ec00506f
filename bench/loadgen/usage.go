package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

type usage struct {
	cpu float64 // seconds
	rss int64   // KiB
	hwm int64   // KiB
}

func measure(list string) (u usage) {
	for p := range strings.SplitSeq(list, ",") {
		if p == "" {
			continue
		}
		f := stat(p)
		if f == nil {
			continue
		}
		u.cpu += seconds(f)
		b, _ := os.ReadFile("/proc/" + p + "/status")
		for l := range strings.SplitSeq(string(b), "\n") {
			if v, ok := strings.CutPrefix(l, "VmRSS:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
				u.rss += n
			}
			if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
				u.hwm += n
			}
		}
	}
	return u
}

// busy returns the CPU seconds all processes of the machine have used.
func busy() float64 {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var sum float64
	for i, f := range strings.Fields(line)[1:] {
		if i != 3 && i != 4 && i < 8 { // all but idle, iowait and guest
			v, _ := strconv.ParseFloat(f, 64)
			sum += v
		}
	}
	return sum / 100
}

// mine returns the CPU seconds that our own processes have used: this one, its
// children, and those in the sessions of -ours, which their children are in too.
func mine() (sum float64) {
	sessions := strings.Split(*ours, ",")
	self := strconv.Itoa(os.Getpid())
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		pid := filepath.Base(filepath.Dir(file))
		if f := stat(pid); f != nil && (pid == self || f[1] == self || slices.Contains(sessions, f[3])) {
			sum += seconds(f)
		}
	}
	return sum
}

// stat returns the fields of /proc/PID/stat from the state on, nil if the
// process is gone.
func stat(pid string) []string {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	s := string(b)
	return strings.Fields(s[strings.LastIndexByte(s, ')')+2:])
}

// seconds of CPU, of a process and its threads.
func seconds(f []string) float64 {
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}
