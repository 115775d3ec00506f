package config

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// load loads with nothing but args and env, and fails the test on an error.
func load(t *testing.T, args, env []string) *Config {
	t.Helper()
	cfg, err := Load(args, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// loadProblems loads what is wrong and returns the problems, one line each, with
// the folder of the test taken out.
func loadProblems(t *testing.T, args, env []string, dir string) []string {
	t.Helper()
	cfg, err := Load(args, env, io.Discard)
	var problems Problems
	if !errors.As(err, &problems) || cfg != nil {
		t.Fatalf("Load() = %v, %v, want Problems alone", cfg, err)
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, strings.ReplaceAll(p.Error(), dir+"/", ""))
	}
	return lines
}

// writeFile writes a file to a folder of the test and returns its path.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantLines compares without regard to order.
func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("unexpected: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing:    %s", line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

func TestLoadWithoutAnythingIsDefault(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil, nil)
	want := Default()
	want.Servers = map[string]Server{}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("Load() = %+v\nwant %+v", cfg, want)
	}
}

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, t.TempDir(), "mcpbridge.yaml", "log: {level: warn}\n")
	for name, test := range map[string]struct {
		args, env []string
		want      slog.Level
	}{
		"default":             {nil, nil, slog.LevelInfo},
		"file over default":   {[]string{"--config", file}, nil, slog.LevelWarn},
		"file by variable":    {nil, []string{"MCPBRIDGE_CONFIG=" + file}, slog.LevelWarn},
		"variable over file":  {[]string{"--config", file}, []string{"MCPBRIDGE_LOG_LEVEL=error"}, slog.LevelError},
		"empty variable":      {[]string{"--config", file}, []string{"MCPBRIDGE_LOG_LEVEL="}, slog.LevelWarn},
		"flag over variable":  {[]string{"--log-level=debug"}, []string{"MCPBRIDGE_LOG_LEVEL=error"}, slog.LevelDebug},
		"flag over the rest":  {[]string{"--config", file, "-log-level", "debug"}, []string{"MCPBRIDGE_LOG_LEVEL=error"}, slog.LevelDebug},
		"last flag counts":    {[]string{"--log-level=debug", "--log-level=error"}, nil, slog.LevelError},
		"flag over file name": {[]string{"--config", file}, []string{"MCPBRIDGE_CONFIG=/nowhere"}, slog.LevelWarn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, test.args, test.env).Log.Level; got != test.want {
				t.Errorf("log.level = %v, want %v", got, test.want)
			}
		})
	}
}

// lineOf returns the number of the line of the file that begins with text.
func lineOf(t *testing.T, path, text string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut("\n"+string(data), "\n"+text)
	return strings.Count(before, "\n") + 1
}

func TestLoadEveryKeyOfTheFile(t *testing.T) {
	t.Parallel()
	cfg := load(t, []string{"--config", "testdata/full.yaml"}, nil)
	pattern := mustPattern(t, "https://*.example.com/mcp/")
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		GRPC: GRPC{Addr: "unix:/run/mcpbridge.sock", MaxRecvBytes: mib, MaxSendBytes: 2 * mib, MaxConcurrentStreams: 16},
		HTTP: HTTP{
			Addr: "[::1]:8000", AllowedHosts: []string{"bridge.example.com", "bridge.example.com:8000"},
			AllowedOrigins: []string{"https://app.example.com"}, MaxBodyBytes: 512 * kib,
			ReadHeaderTimeout: time.Second, ReadTimeout: 2 * time.Second, IdleTimeout: 90 * time.Second,
		},
		Admin: Admin{Addr: "localhost:8001", PProf: true},
		Auth: Auth{
			Methods:   []string{AuthPreshared, AuthOIDC, AuthMTLS},
			Preshared: Preshared{TokensFile: filepath.Join(folder, "tokens"), Tokens: []Secret{NewSecret("billing 0123456789abcdef0123456789abcdef")}},
			OIDC: OIDC{
				Issuer: "https://issuer.example.com", Audiences: []string{"mcpbridge"}, PrincipalClaim: "oid",
				Algorithms: []string{"ES256"}, ClockSkew: 2 * time.Second,
			},
		},
		TLS: TLS{
			CertFile: filepath.Join(folder, "cert.pem"), KeyFile: "/etc/key.pem",
			ClientCAFile: filepath.Join(folder, "ca.pem"), RequireClientCert: true,
		},
		Principal:      Principal{Sessions: 2, ConnectRate: 0.5, ConnectBurst: 3, Calls: 4, Bytes: mib},
		InsecureNoAuth: true,
		Log:            Log{Level: slog.LevelDebug, Format: LogJSON},
		Shutdown:       Shutdown{PreStop: time.Second, Grace: 2 * time.Second, Close: 3 * time.Second},
		Calls:          Calls{DefaultTimeout: 5 * time.Second, MaxTimeout: time.Hour, InputTimeout: 2 * time.Minute},
		Connect: Connect{
			Timeout: 20 * time.Second, ProbeTimeout: 4 * time.Second,
			Backoff: Backoff{Base: 100 * time.Millisecond, Multiplier: 1.5, Max: 10 * time.Second},
			Breaker: Breaker{Failures: 3, Window: 2 * time.Minute},
		},
		Idle:     Idle{HTTP: time.Minute, Stdio: 2 * time.Minute},
		Sessions: Sessions{Max: 10, IdleTimeout: 3 * time.Minute},
		Children: Children{Max: 3},
		Limits: Limits{
			MessageBytes: 2 * mib, CallBytes: 4 * mib, JSONDepth: 10,
			ListPages: 11, ListItems: 12, ListBytes: 13 * mib, CallNotifications: 14,
			CallerGroups: 15, GroupMembers: 16,
			IdempotencyKeys: 17, CallerIdempotencyKeys: 18, IdempotencyBytes: 19 * mib,
		},
		Policy: Policy{
			AllowURLs: []URLPattern{pattern}, AllowPrivateAddresses: true,
			AllowCommands: [][]string{{"npx", "-y", "some-server"}, {"uptime"}},
		},
		Telemetry: Telemetry{CaptureArguments: true},
		OAuth: OAuth{
			RedirectURI: "https://bridge.example.com/oauth/callback", ClientMetadataURL: "https://bridge.example.com/client.json",
			ClientName: "Bridge", TokensFile: "/var/lib/mcpbridge/tokens", TokensKeyFile: filepath.Join(folder, "tokens.key"),
		},
		MCPConfigFiles: []string{filepath.Join(folder, "claude_desktop.json")},
		Servers: map[string]Server{
			"filesystem": {
				Type: TypeStdio, Command: "npx", Args: Args{"-y", "@modelcontextprotocol/server-filesystem", "/srv/files"},
				Protocol: ProtocolAuto, Timeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
				MaxMessageBytes: 2 * mib, TraceContext: true, OAuth: ServerOAuth{Grant: GrantAuto},
				MaxUpstreams: 1, HealthInterval: 30 * time.Second,
			},
			"memory": {
				Type: TypeStdio, Command: "npx", Args: Args{"-y", "@modelcontextprotocol/server-memory"},
				Env:      map[string]Secret{"MEMORY_FILE_PATH": NewSecret("/srv/memory.json"), "EXTRA": NewSecret("1")},
				Protocol: ProtocolAuto, Stateful: true, Timeout: 7 * time.Second, IdleTimeout: 2 * time.Minute,
				MaxMessageBytes: mib, RepeatableTools: []string{"read_graph"}, TraceContext: true, OAuth: ServerOAuth{Grant: GrantAuto},
				MaxUpstreams: 1, HealthInterval: 30 * time.Second,
			},
			"my.server": {
				Type: TypeHTTP, URL: NewSecret("https://own.example.com/mcp"),
				Protocol: "2025-06-18", Shared: true, Timeout: 5 * time.Second, IdleTimeout: 9 * time.Second,
				MaxMessageBytes: 2 * mib, Baggage: true, MaxUpstreams: 4, WarmUpstreams: 1, MaxSessionAge: time.Hour,
				Allow:      []string{"preshared:billing", "claim:groups=finance"},
				AllowTools: []string{"get_*", "delete_* for claim:groups=admins"}, DenyTools: []string{"get_secret"},
				OAuth: ServerOAuth{
					Grant: GrantClientCredentials, Issuer: "https://issuer.example.com", ClientID: "bridge", ClientSecret: NewSecret("s-1"),
					Scopes: []string{"read", "write"}, AllowPrivate: true,
				},
			},
			"tenants": {
				Type: TypeHTTP, URL: NewSecret("https://tenants.example.com/mcp"), ForwardHeaders: map[string]string{"x-tenant": "X-Tenant"},
				Protocol: ProtocolAuto, Timeout: 5 * time.Second, IdleTimeout: time.Minute, MaxMessageBytes: 2 * mib, TraceContext: true,
				MaxUpstreams: 1, HealthInterval: 30 * time.Second,
				OAuth: ServerOAuth{Grant: GrantAuto, ClientID: "bridge", RedirectURI: "https://app.example.com/back"},
			},
		},
		Warnings: []Problem{{
			Key: "insecure_no_auth", Source: "testdata/full.yaml:" + strconv.Itoa(lineOf(t, "testdata/full.yaml", "insecure_no_auth")),
			Message: "does not let strangers call: auth.methods holds; remove it",
		}},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("Load() = %+v\nwant %+v", cfg, want)
	}
}

func TestLoadLists(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join("testdata", "cursor.json"), filepath.Join("testdata", "fastmcp.json")
	env := []string{"NOTES_TOKEN=t", "HOME=/home/op"}
	for name, args := range map[string][]string{
		"flags":    {"--mcp-config", one, "--mcp-config", two},
		"variable": nil,
	} {
		env := env
		if args == nil {
			env = append(slices.Clone(env), "MCPBRIDGE_MCP_CONFIG="+one+string(os.PathListSeparator)+two)
		}
		if got := load(t, args, env).MCPConfigFiles; !slices.Equal(got, []string{one, two}) {
			t.Errorf("%s: mcp_config_files = %q", name, got)
		}
	}
	cfg := load(t, nil, []string{"MCPBRIDGE_HTTP_ALLOWED_HOSTS=a.example.com,b.example.com"})
	if got := cfg.HTTP.AllowedHosts; !slices.Equal(got, []string{"a.example.com", "b.example.com"}) {
		t.Errorf("http.allowed_hosts = %q", got)
	}
}

func TestLoadPreStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args, env []string
		want      time.Duration
	}{
		"loopback":      {nil, nil, 0},
		"reachable":     {[]string{"--insecure-no-auth", "--grpc-addr=0.0.0.0:9090"}, nil, 5 * time.Second},
		"reachable, 0s": {[]string{"--insecure-no-auth", "--grpc-addr=:9090"}, []string{"MCPBRIDGE_SHUTDOWN_PRE_STOP=0s"}, 0},
		"loopback, 1s":  {nil, []string{"MCPBRIDGE_SHUTDOWN_PRE_STOP=1s"}, time.Second},
	} {
		if got := load(t, test.args, test.env).Shutdown.PreStop; got != test.want {
			t.Errorf("%s: shutdown.pre_stop = %v, want %v", name, got, test.want)
		}
	}
}

func TestLoadIgnoresServiceLinks(t *testing.T) {
	t.Parallel()
	load(t, nil, []string{
		"MCPBRIDGE_SERVICE_HOST=10.0.0.1", "MCPBRIDGE_SERVICE_PORT=9090", "MCPBRIDGE_SERVICE_PORT_GRPC=9090",
		"MCPBRIDGE_PORT=tcp://10.0.0.1:9090", "MCPBRIDGE_PORT_9090_TCP=tcp://10.0.0.1:9090",
		"MCPBRIDGE_PORT_9090_TCP_ADDR=10.0.0.1", "MCPBRIDGE_GRPC_SERVICE_HOST=10.0.0.1", "MCPBRIDGE_GRPC_PORT=tcp://10.0.0.1:9090",
	})
}

func TestLoadHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg, err := Load([]string{"-h"}, []string{"MCPBRIDGE_NONSENSE=1"}, &out)
	if !errors.Is(err, flag.ErrHelp) || cfg != nil {
		t.Fatalf("Load(-h) = %v, %v, want flag.ErrHelp", cfg, err)
	}
	for _, s := range settings(Default()) {
		if s.flag && !strings.Contains(out.String(), "--"+s.flagName()) {
			t.Errorf("the help has no --%s", s.flagName())
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 120 {
			t.Errorf("too wide for a terminal: %s", line)
		}
	}
	if _, err := Load([]string{"--help"}, nil, brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Load(--help) = %v, want the error of the output", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestSearchPaths(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  []string
		want []string
	}{
		"nothing set": {nil, []string{"mcpbridge.yaml", "/etc/mcpbridge/config.yaml"}},
		"home": {
			[]string{"HOME=/home/op"},
			[]string{"mcpbridge.yaml", "/home/op/.config/mcpbridge/config.yaml", "/etc/mcpbridge/config.yaml"},
		},
		"XDG": {
			[]string{"HOME=/home/op", "XDG_CONFIG_HOME=/conf"},
			[]string{"mcpbridge.yaml", "/conf/mcpbridge/config.yaml", "/etc/mcpbridge/config.yaml"},
		},
	} {
		if got := searchPaths(newEnviron(test.env)); !slices.Equal(got, test.want) {
			t.Errorf("%s: searchPaths() = %q, want %q", name, got, test.want)
		}
	}
}

func TestLoadFindsTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "mcpbridge/config.yaml", "log: {level: warn}\n")
	if got := load(t, nil, []string{"XDG_CONFIG_HOME=" + dir}).Log.Level; got != slog.LevelWarn {
		t.Errorf("log.level = %v, want the file's", got)
	}
}

func TestLoadFindsTheFileHere(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "mcpbridge.yaml", "log: {level: error}\nmcp_config_files: [mcp.json]\n")
	writeFile(t, dir, "mcp.json", `{"mcpServers": {}}`)
	writeFile(t, dir, "mcpbridge/config.yaml", "log: {level: warn}\n")
	t.Chdir(dir)
	if got := load(t, nil, []string{"XDG_CONFIG_HOME=" + dir}).Log.Level; got != slog.LevelError {
		t.Errorf("log.level = %v, want that of ./mcpbridge.yaml", got)
	}
}
