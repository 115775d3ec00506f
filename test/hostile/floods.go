package hostile

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// ProgressFlood is how many notifications one call in the mode progress-flood has.
const ProgressFlood = 20_000

const (
	pingFlood   = 1_000    // requests
	noiseFlood  = 10_000   // lines
	stderrFlood = 16 << 20 // bytes
)

// floodModes send much of what is allowed in small numbers.
func floodModes() []mode {
	return []mode{
		{
			Mode:   everywhere("progress-flood", fmt.Sprintf("reports progress %d times before it answers a call", ProgressFlood)),
			handle: onCall(floodProgress),
		},
		{
			Mode:   everywhere("ping-flood", fmt.Sprintf("pings %d times before it answers a call", pingFlood)),
			era:    Legacy,
			handle: onCall(floodPings),
		},
		{
			Mode: stdioOnly("noise-flood", fmt.Sprintf("prints %d lines of noise before it answers a call", noiseFlood)),
			handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
				_ = out.raw(bytes.Repeat([]byte("INFO: still working\n"), noiseFlood))
				honest(ctx, s, m, out)
			}),
		},
		{
			Mode: stdioOnly("stderr-flood", fmt.Sprintf("writes %d MiB to stderr before it reads anything", stderrFlood>>20)),
			stdioMode: stdioMode{start: func(p *process) {
				line := []byte(strings.Repeat("e", 1023) + "\n")
				for range stderrFlood / len(line) {
					_, _ = p.stderr.Write(line)
				}
			}},
		},
	}
}

// floodProgress uses the token of the call, or one that nobody gave.
func floodProgress(ctx context.Context, s *server, m message, out outlet) {
	token := string(m.Params.Meta.ProgressToken)
	if token == "" {
		token = `"nobody"`
	}
	for i := range ProgressFlood {
		fields := fmt.Sprintf(`"progressToken":%s,"progress":%d,"total":%d`, token, i+1, ProgressFlood)
		if out.send(notification("notifications/progress", fields)) != nil {
			return
		}
	}
	honest(ctx, s, m, out)
}

func floodPings(ctx context.Context, s *server, m message, out outlet) {
	for i := range pingFlood {
		if out.send(request(fmt.Sprintf(`"ping-%s-%d"`, m.ID, i), "ping")) != nil {
			return
		}
	}
	honest(ctx, s, m, out)
}
