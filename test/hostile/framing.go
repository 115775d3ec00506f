package hostile

import (
	"bytes"
	"context"
	"fmt"
)

// framingModes attack how a client cuts the bytes into messages.
func framingModes() []mode {
	return []mode{
		{
			Mode: stdioOnly("noise", "prints lines that are no MCP before its first and around each message"),
			stdioMode: stdioMode{
				start: func(p *process) { _ = p.out.raw([]byte(noise)) },
				frame: func(message []byte) []byte { return fmt.Appendf(nil, "%s%s\n%s", noise, message, noise) },
			},
		},
		{
			Mode: stdioOnly("blank-lines", "ends lines in CRLF and prints blank ones between them"),
			stdioMode: stdioMode{
				frame: func(message []byte) []byte { return fmt.Appendf(nil, "\n\r\n  \t\n%s\r\n\r\n", message) },
			},
		},
		{
			Mode: stdioOnly("bom", "begins with a byte order mark"),
			stdioMode: stdioMode{
				start: func(p *process) { _ = p.out.raw([]byte("\ufeff")) },
			},
		},
		{
			Mode:     everywhere("split-bytes", "writes every byte on its own"),
			bytewise: true,
		},
		{
			Mode:   everywhere("invalid-utf8", "answers calls with bytes that are not UTF-8"),
			handle: withNonce("\xff\xfe"),
		},
		{
			Mode:   everywhere("nul", "answers calls with a NUL byte in the text"),
			handle: withNonce("\x00"),
		},
		{
			Mode: httpOnly("event-noise", "puts comments, unknown events and odd line ends around each event"),
			handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
				reply := s.reply(m)
				middle := bytes.IndexByte(reply, ',') + 1 // a place where JSON may have a line feed
				_ = out.raw(fmt.Appendf(nil, "\ufeff: hello\r\r: still here\r\n\r\n"+
					"event: heartbeat\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\n\n"+
					"id: a\x00b\nretry: soon\nunknown: field\nnocolon\nevent: message\ndata:%s\rdata: %s\r\n\r\n",
					m.ID, reply[:middle], reply[middle:]))
			}),
		},
	}
}

// noise is what careless servers print: text, an escape sequence, JSON that is
// no object, and an object that is no JSON-RPC.
const noise = "INFO: hello from the server\n\x1b[32mready\x1b[0m\n42\n\"text\"\nnull\n" +
	`{"level":"info","msg":"listening"}` + "\n{\n"

// withNonce returns a handler that puts bytes, as they are, after the nonce in
// the text of a call's result.
func withNonce(raw string) handler {
	return altered(func(m message, reply []byte) []byte {
		honest := []byte(`"text":` + quote(m.Params.Arguments.Nonce))
		spoilt := append(bytes.Clone(honest[:len(honest)-1]), raw+`"`...)
		return bytes.Replace(reply, honest, spoilt, 1)
	})
}
