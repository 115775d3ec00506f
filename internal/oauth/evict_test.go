package oauth

import (
	"strconv"
	"testing"
	"time"
)

// However many principals come to a configured server, the ways into it are
// bounded: the one that is idle for longest is given up.
func TestAccessesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a, err := b.manager.Authorizer(ServerConfig{
		URL: "https://mcp.example.com/mcp", Configured: true, Credentials: person(), Connections: b.connections,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxAccesses {
		b.manager.access(a, strconv.Itoa(i)).lastUsed.Store(int64(i))
	}
	used, busy, asking := b.manager.access(a, "0"), b.manager.access(a, "1"), b.manager.access(a, "2")
	busy.renewal, asking.waiting = new(renewal), &flow{expires: time.Now().Add(time.Hour)}
	busy.lastUsed.Store(1)
	asking.lastUsed.Store(2)
	b.manager.access(a, "new")
	if n := len(b.manager.accesses); n != maxAccesses {
		t.Errorf("%d are kept", n)
	}
	if b.manager.accesses[accessKey{a.id, "3"}] != nil {
		t.Error("the idle one is kept")
	}
	for name, x := range map[string]*access{"used": used, "busy": busy, "asking": asking} {
		if b.manager.accesses[accessKey{a.id, x.principal}] != x {
			t.Errorf("the %s one is given up", name)
		}
	}
}
