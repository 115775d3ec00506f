package pool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// The size of the stress: callers, the calls of each, and how many it has under
// way at a time.
const (
	stressPrincipals = 50
	stressCalls      = 200
	stressAtOnce     = 4
)

// Many principals call servers that they share and servers that they do not,
// some give up, children are killed and sessions forgotten: whatever happens,
// each answer is that of the call, and what a server counts for one principal is
// never counted on by another.
func TestNothingIsMixedUp(t *testing.T) { //nolint:paralleltest // it kills all children of this process
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this test needs /proc as Linux has it")
	}
	b := newStress(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var callers, trouble sync.WaitGroup
	over, end := context.WithCancel(ctx)
	trouble.Go(func() { b.killChildren(over) })
	for i := range stressPrincipals {
		for j := range stressAtOnce {
			callers.Go(func() {
				b.calls(ctx, fmt.Sprintf("p%d", i), rand.New(rand.NewPCG(uint64(i), uint64(j))))
			})
		}
	}
	callers.Wait()
	end()
	trouble.Wait()
	b.check()
}

// A stress is the pool under test, and what its callers have seen.
type stress struct {
	*testing.T

	pool *pool.Pool

	mu sync.Mutex
	// sent counts the calls of each session, by its generation.
	sent map[int64]int
	// counted are the counts that the answers of each session had.
	counted map[int64]map[int]bool
	// owner is the principal of each session that has one.
	owner    map[int64]string
	answered map[string]int
	failed   map[string]int
	killed   int
	anew     int
}

func newStress(t *testing.T) *stress {
	t.Helper()
	b := &stress{
		T: t, sent: make(map[int64]int), counted: make(map[int64]map[int]bool), owner: make(map[int64]string),
		answered: make(map[string]int), failed: make(map[string]int),
	}
	stdio := func() *mcp.Client {
		c := peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250618}})
		return mcp.NewClient(transport.NewStdio(transport.StdioConfig{Command: c.Path, Args: c.Args, Env: c.Env}), mcp.Options{Shared: true})
	}
	b.pool = pool.New([]*pool.Server{
		{Name: "shared", Client: stdio(), Shared: true, MaxUpstreams: 4},
		{Name: "own", Client: stdio()},
		{Name: "web", Client: b.serveWeb()},
	}, pool.Options{Backoff: pool.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond}})
	t.Cleanup(func() {
		if err := b.pool.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if left := ownChildren(t); len(left) > 0 {
			t.Errorf("children are left: %v", left)
		}
	})
	return b
}

// serveWeb serves the Go SDK's server with sessions, some of which it forgets.
func (b *stress) serveWeb() *mcp.Client {
	b.Helper()
	server := peers.NewGoSDKServer(peers.GoSDKOptions{})
	handler := mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return server }, &mcpsdk.StreamableHTTPOptions{JSONResponse: true})
	listener := httptest.NewServer(&forgetful{Handler: handler})
	client := transport.NewHTTPClient(nil, nil)
	b.Cleanup(func() {
		client.CloseIdleConnections()
		listener.CloseClientConnections()
		listener.Close()
		for s := range server.Sessions() {
			_ = s.Close()
		}
	})
	dialer, err := transport.NewHTTP(transport.HTTPConfig{URL: listener.URL, Client: client})
	if err != nil {
		b.Fatal(err)
	}
	return mcp.NewClient(dialer, mcp.Options{})
}

// calls makes a principal's calls, one after the other.
func (b *stress) calls(ctx context.Context, principal string, chance *rand.Rand) {
	for i := range stressCalls / stressAtOnce {
		server := []string{"shared", "shared", "web"}[chance.IntN(3)]
		if strings.HasSuffix(principal, "0") { // these have children of their own
			server = []string{"shared", "own", "web"}[chance.IntN(3)]
		}
		within := time.Minute
		if chance.IntN(10) == 0 {
			within = time.Duration(chance.IntN(5000)) * time.Microsecond
		}
		err := b.call(ctx, server, principal, fmt.Sprintf("%s-%d-%d", principal, i, chance.Uint64()), within)
		var failed *pool.ConnectError
		if errors.As(err, &failed) {
			rest(ctx, failed.RetryAfter)
		}
	}
}

// call makes a call, and checks what comes of it.
func (b *stress) call(ctx context.Context, server, principal, nonce string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	target, err := b.pool.Shared(server, principal)
	if err != nil {
		b.Error(err)
		return err
	}
	arguments, err := json.Marshal(map[string]string{"nonce": nonce})
	if err != nil {
		return err
	}
	var result *mcp.Result
	out, err := target.Do(ctx, false, func(ctx context.Context, live *pool.Live) error {
		b.use(server, principal, live.Generation)
		var err error
		result, err = live.Call(ctx, mcp.CallTool("counter", arguments))
		return err
	})
	if err != nil {
		b.note(b.failed, server)
		return err
	}
	b.answer(server, nonce, out, result.JSON)
	return nil
}

// use notes that a call is about to be sent on a session.
func (b *stress) use(server, principal string, generation int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent[generation]++
	if owner, known := b.owner[generation]; server != "shared" && known && owner != principal {
		b.Errorf("session %d of %s is used by %s and %s", generation, server, owner, principal)
	}
	b.owner[generation] = principal
}

// answer checks an answer.
func (b *stress) answer(server, nonce string, out pool.Outcome, result []byte) {
	var r struct {
		Content []struct{ Text string }
	}
	if err := json.Unmarshal(result, &r); err != nil || len(r.Content) != 1 {
		b.Errorf("%s answers %s", server, result)
		return
	}
	echoed, count, _ := strings.Cut(r.Content[0].Text, " ")
	n, err := strconv.Atoi(count)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered[server]++
	if out.Reinitialized {
		b.anew++
	}
	seen := b.counted[out.Generation]
	switch {
	case echoed != nonce || err != nil:
		b.Errorf("%s answers %q to %q", server, r.Content[0].Text, nonce)
	case n > b.sent[out.Generation]:
		b.Errorf("session %d of %s has counted %d calls, and got %d", out.Generation, server, n, b.sent[out.Generation])
	case seen[n]:
		b.Errorf("session %d of %s has counted %d twice", out.Generation, server, n)
	case seen == nil:
		b.counted[out.Generation] = map[int]bool{n: true}
	default:
		seen[n] = true
	}
}

func (b *stress) note(counts map[string]int, server string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts[server]++
}

// check checks that enough has happened for the test to mean something.
func (b *stress) check() {
	b.Helper()
	b.Logf("answered %v, failed %v, %d sessions, %d children killed, %d calls went on in a new session",
		b.answered, b.failed, len(b.sent), b.killed, b.anew)
	for _, server := range []string{"shared", "own", "web"} {
		if b.answered[server] < 100 {
			b.Errorf("%s has answered %d calls only", server, b.answered[server])
		}
	}
	if b.killed < 3 || b.anew == 0 {
		b.Errorf("%d children were killed, %d calls went on in a new session", b.killed, b.anew)
	}
}

// killChildren kills one child after the other.
func (b *stress) killChildren(ctx context.Context) {
	for rest(ctx, 100*time.Millisecond) {
		children := ownChildren(b)
		if len(children) == 0 {
			continue
		}
		if syscall.Kill(children[rand.IntN(len(children))], syscall.SIGKILL) == nil {
			b.killed++
		}
	}
}

// A forgetful server answers 404 to every fiftieth request of a session, and to
// all that follow in that session.
type forgetful struct {
	http.Handler

	requests  atomic.Int64
	forgotten sync.Map
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Mcp-Session-Id")
	if id != "" && r.Method == http.MethodPost && f.requests.Add(1)%50 == 0 {
		f.forgotten.Store(id, true)
	}
	if _, gone := f.forgotten.Load(id); gone {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

// rest waits, and reports whether ctx goes on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ownChildren returns the processes that this one has started and that run.
func ownChildren(t testing.TB) (pids []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil { // it has ended
			continue
		}
		// pid (name) state parent; see proc(5).
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
