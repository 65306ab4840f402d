// How does a case run, wait and say what it saw?
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// Case is one behaviour, named as it is printed.
type Case struct {
	name string
	body func(*T)
}

// T is what a case may use: names of its own, clients that end with it, and a way to say what is wrong.
type T struct {
	name     string
	patience time.Duration
	mu       sync.Mutex
	endings  []func()
}

// failure carries the reason from check to the line that is printed.
type failure string

const (
	// patience bounds every wait, unless a case knows better. It covers two rounds of the client's slowest timer, the heartbeat of 30 s.
	patience = 70 * time.Second
	// lookEvery is how often a condition is looked at while waiting for it.
	lookEvery = 20 * time.Millisecond
	// atOnce is how many cases run side by side: they wait far more than they work.
	atOnce = 8
)

// check ends the case with a reason unless what was expected holds.
func (t *T) check(holds bool, format string, args ...any) {
	if !holds {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func (t *T) ok(err error, doing string) {
	t.check(err == nil, "%s: %v", doing, err)
}

func (t *T) equal(got, expected any, what string) {
	t.check(got == expected, "%s: got %v, expected %v", what, got, expected)
}

// until waits for a condition; seen is asked for what there was instead when patience ends.
func (t *T) until(holds func() bool, what string, seen func() string) {
	for deadline := time.Now().Add(t.patience); !holds(); time.Sleep(lookEvery) {
		t.check(time.Now().Before(deadline), "not seen within %v: %s; seen: %s", t.patience, what, seen())
	}
}

// atEnd registers what to close; the last registered is closed first.
func (t *T) atEnd(ending func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endings = append(t.endings, ending)
}

// topic and group names are unique to the run and the case, so that a store of many runs disturbs none.
func (t *T) topic() string { return "compat-go-" + run() + "-" + t.name }
func (t *T) group() string { return "compat-go-" + run() + "-g-" + t.name }

func run() string { return os.Getenv("COMPAT_RUN") }

// restartBroker comes back when the broker serves again.
func (t *T) restartBroker() {
	control := os.Getenv("COMPAT_CONTROL")
	t.check(control != "", "COMPAT_CONTROL is not set, the broker cannot be restarted")
	said, err := exec.Command(control, "restart-broker").CombinedOutput()
	t.check(err == nil, "%s restart-broker: %v: %s", control, err, said)
}

func (c Case) outcome() (why string) {
	t := &T{name: c.name, patience: patience}
	defer func() {
		switch caught := recover().(type) {
		case nil:
		case failure:
			why = string(caught)
		default:
			stack := make([]byte, 4096)
			why = fmt.Sprintf("panic: %v\n%s", caught, stack[:runtime.Stack(stack, false)])
		}
		for i := len(t.endings) - 1; i >= 0; i-- {
			t.endings[i]()
		}
	}()
	c.body(t)
	return ""
}

func runSuite(sideBySide, alone []Case) {
	if os.Getenv("NAMESRV_ADDR") == "" {
		fmt.Println("FAIL setup: NAMESRV_ADDR is not set")
		os.Exit(2)
	}
	if run() == "" {
		os.Setenv("COMPAT_RUN", fmt.Sprintf("%x", time.Now().UnixMilli()))
	}
	rlog.SetLogLevel(os.Getenv("ROCKETMQ_GO_LOG_LEVEL"))

	var mu sync.Mutex
	passed, failed := 0, 0
	one := func(c Case) {
		began := time.Now()
		why := c.outcome()
		mu.Lock()
		defer mu.Unlock()
		if why == "" {
			passed++
			fmt.Printf("PASS %s (%.1f s)\n", c.name, time.Since(began).Seconds())
		} else {
			failed++
			fmt.Printf("FAIL %s: %s\n", c.name, strings.ReplaceAll(why, "\n", " / "))
		}
	}

	places := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, c := range wanted(sideBySide) {
		places <- struct{}{}
		running.Add(1)
		go func() {
			defer func() { <-places; running.Done() }()
			one(c)
		}()
	}
	running.Wait()
	for _, c := range wanted(alone) {
		one(c)
	}

	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// wanted keeps the cases named on the command line (shell patterns), all of them without names, and puts off those of later.
func wanted(cases []Case) []Case {
	var kept []Case
	for _, c := range cases {
		if !named(c.name, os.Args[1:]) {
			continue
		}
		if why, putOff := later[c.name]; putOff && os.Getenv("COMPAT_TARGET") == "roxmq" {
			fmt.Printf("LATER %s: %s\n", c.name, why)
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

func named(name string, patterns []string) bool {
	for _, pattern := range patterns {
		if fits, _ := path.Match(pattern, name); fits {
			return true
		}
	}
	return len(patterns) == 0
}
