package e2e

import (
	"strings"
	"testing"
)

// TestMistakes starts bridges whose configuration has mistakes, and wants all of
// them to be reported at once, each with its place and key.
func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		setup setup
		args  []string
		// says are parts of what is said, each of one line.
		says []string
	}{
		"in a file, in a variable and in a flag": {
			setup: setup{
				config: "grpc: {adr: 127.0.0.1:0}\n" +
					"http: {max_body_bytes: 5 apples}\n" +
					"servers:\n" +
					"  both: {command: x, url: http://127.0.0.1/}\n" +
					"  token: {url: http://127.0.0.1/, headers: {Authorization: \"Bearer ${NO_SUCH_VARIABLE}\"}}\n",
				env: []string{"MCPBRIDGE_CALLS_MAX_TIMEOUT=10", "MCPBRIDGE_LOG_LEVEL=loud", "MCPBRIDGE_NO_SUCH_SETTING=1"},
			},
			args: []string{"--admin-addr", "nowhere"},
			says: []string{
				`bridge.yaml:1: grpc.adr: is no setting; did you mean "grpc.addr"?`,
				"bridge.yaml:2: http.max_body_bytes: ",
				"bridge.yaml:4: servers.both",
				"bridge.yaml:5: servers.token.headers.Authorization: ",
				`MCPBRIDGE_CALLS_MAX_TIMEOUT: calls.max_timeout: "10" has no unit; write "10s"`,
				"MCPBRIDGE_LOG_LEVEL: log.level: ",
				"MCPBRIDGE_NO_SUCH_SETTING: ",
				"--admin-addr: admin.addr: ",
			},
		},
		"in an mcpServers file": {
			setup: setup{servers: servers{"empty": {}, "odd": {Type: "carrier-pigeon", URL: "http://127.0.0.1/"}}},
			says:  []string{"mcp.json:1: servers.empty: has neither a command", "mcp.json:1: servers.odd.type: "},
		},
		"other machines without authentication": {
			args: []string{"--grpc-addr", "0.0.0.0:0", "--http-addr", "[::]:0"},
			says: []string{"--grpc-addr: grpc.addr: ", "--http-addr: http.addr: ", "insecure_no_auth"},
		},
		"a flag that is none": {
			args: []string{"--grpc-adr", "127.0.0.1:0"},
			says: []string{"grpc-adr"},
		},
		"a file that is not there": {
			args: []string{"--config", "/no/such/file.yaml"},
			says: []string{"/no/such/file.yaml"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range [][]string{nil, {"check"}} {
				code, stderr := runToEnd(t, tt.setup, append(command, tt.args...)...)
				if code != 1 {
					t.Errorf("%v: exit status %d, want 1", command, code)
				}
				for _, want := range tt.says {
					if !strings.Contains(stderr, want) {
						t.Errorf("%v: nothing says %q", command, want)
					}
				}
				if strings.Contains(stderr, `"serving"`) || t.Failed() {
					t.Errorf("%v: it says\n%s", command, stderr)
				}
			}
		})
	}
}

// TestAddressInUse checks that a bridge whose port is taken says so and ends.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	b := start(t, setup{})
	code, stderr := runToEnd(t, setup{}, "--grpc-addr", b.grpcAddr, "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "grpc.addr: ") || !strings.Contains(stderr, "choose another address") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
}
