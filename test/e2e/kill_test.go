package e2e

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

const (
	kills       = 100
	killCallers = 50
	// killDeadline is so long that no call reaches it: one that does has hung.
	killDeadline = 20 * time.Second
)

// TestKill kills the child again and again under many callers, and compares
// what they were told with what the children wrote into a journal.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, era := range []hostile.Era{hostile.Legacy, hostile.Modern} {
		t.Run(string(era), func(t *testing.T) {
			t.Parallel()
			testKill(t, era)
		})
	}
}

func testKill(t *testing.T, era hostile.Era) {
	journal := hostile.NewJournal(t)
	b := start(t, setup{
		servers: servers{"child": stdio(hostile.Command(t, hostile.Options{Era: era, Journal: journal}))},
		// Children that die before they have answered are started again after a
		// wait, which is not what is tested here.
		config: profiled + "connect: {backoff: {base: 5ms, max: 20ms}}\n",
	})
	client, gauge := b.client(t), b.gauge(t)
	told := &outcomes{of: make(map[string]outcome)}
	if err := told.call(t.Context(), client, "first"); err != nil {
		t.Fatalf("the first call: %v", err)
	}
	before := gauge.settled(t)

	stop := make(chan struct{})
	var callers sync.WaitGroup
	for caller := range killCallers {
		callers.Go(func() {
			for call := 0; ; call++ {
				select {
				case <-stop:
					return
				default:
					_ = told.call(t.Context(), client, fmt.Sprintf("%d/%d", caller, call)) // it is noted
				}
			}
		})
	}
	killChildren(t, b, journal)
	close(stop)
	callers.Wait()
	last := 0
	eventually(t, killDeadline, func() error {
		last++
		return told.call(t.Context(), client, fmt.Sprintf("last/%d", last))
	})
	told.check(t, journal)
	gauge.backAt(t, before)
}

// killChildren kills one child after the other. Every other one lives until it
// has run some calls; the rest are killed as they come up, at any point of the
// handshake.
func killChildren(t *testing.T, b *bridge, journal hostile.Journal) {
	t.Helper()
	last := 0
	for kill := range kills {
		var victim process
		eventually(t, killDeadline, func() error {
			for _, child := range children(t, b.pid()) {
				if !child.zombie() && child.pid != last {
					victim = child
					return nil
				}
			}
			return fmt.Errorf("after %d kills there is no new child", kill)
		})
		if kill%2 == 0 {
			size := journalSize(t, journal)
			eventually(t, killDeadline, func() error {
				if journalSize(t, journal) < size+1000 && victim.lives(t) {
					return fmt.Errorf("child %d runs no calls", victim.pid)
				}
				return nil
			})
		}
		if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
			t.Fatalf("kill the child: %v", err)
		}
		last = victim.pid
	}
}

func journalSize(t *testing.T, journal hostile.Journal) int64 {
	t.Helper()
	info, err := os.Stat(string(journal))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// An outcome is what a caller was told of its call.
type outcome struct {
	code             codes.Code
	reason, delivery string
	took             time.Duration
	err              error
}

// outcomes are those of all calls, by nonce. Its methods may be called
// concurrently.
type outcomes struct {
	mu sync.Mutex // guards of
	of map[string]outcome
}

// call runs the tool once and notes what came of it, which it returns.
func (o *outcomes) call(ctx context.Context, client mcpbridgev1.McpServiceClient, nonce string) error {
	ctx, cancel := context.WithTimeout(ctx, killDeadline)
	defer cancel()
	argumentsJSON := fmt.Sprintf(`{"nonce":%q}`, nonce)
	var trailer metadata.MD
	began := time.Now()
	result, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{
		Target: "servers/child", Name: "run", ArgumentsJson: &argumentsJSON,
	}, grpc.Trailer(&trailer))
	if err == nil && textOf(result) != nonce {
		err = status.Errorf(codes.DataLoss, "the answer to %s is %q", nonce, textOf(result))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of[nonce] = outcome{
		code: status.Code(err), took: time.Since(began), err: err,
		reason: first(trailer.Get("mcpbridge-reason")), delivery: first(trailer.Get("mcpbridge-delivery")),
	}
	return err
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// check holds the outcomes against the journal.
func (o *outcomes) check(t *testing.T, journal hostile.Journal) {
	t.Helper()
	executed := make(map[string]int)
	for _, entry := range journal.Entries(t) {
		executed[entry.Nonce]++
	}
	seen := make(map[codes.Code]int)
	for nonce, told := range o.of {
		seen[told.code]++
		if problem := told.contradicts(executed[nonce]); problem != "" {
			t.Errorf("call %s, which ran %d times: %s: %v after %v", nonce, executed[nonce], problem, told.err, told.took)
		}
	}
	t.Logf("%d calls: %v; %d ran", len(o.of), seen, len(executed))
	if seen[codes.OK] < kills || seen[codes.Unknown] == 0 {
		t.Error("the kills did not hit calls in flight: nothing is proved")
	}
}

// contradicts says what is wrong with an outcome of a call that ran so often.
func (o outcome) contradicts(executed int) string {
	switch {
	case executed > 1:
		return "it ran more than once"
	case o.code == codes.OK && executed == 0:
		return "it was told to be done"
	case o.code == codes.OK:
		return ""
	case o.code == codes.Unavailable && executed > 0:
		return "it was told not to have reached the tool"
	case o.code == codes.Unavailable && o.delivery != "not_sent":
		return "delivery is " + o.delivery
	case o.code == codes.Unavailable:
		return ""
	case o.code == codes.Unknown && (o.reason != "OUTCOME_UNKNOWN" || o.delivery != "unknown"):
		return "reason " + o.reason + ", delivery " + o.delivery
	case o.code == codes.Unknown:
		return ""
	default:
		return "it ended in no way that a kill explains"
	}
}
