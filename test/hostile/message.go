package hostile

import (
	"encoding/json"
	"fmt"
)

// The protocol versions that the honest server speaks.
const (
	modernVersion = "2026-07-28"
	latestLegacy  = "2025-11-25"
)

func legacyVersions() []string {
	return []string{latestLegacy, "2025-06-18", "2025-03-26", "2024-11-05"}
}

// message is what a client sent, as far as any mode looks at it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params params          `json:"params"`

	// session is the HTTP session that the message came in, if any.
	session string
	// text is the message as it was received.
	text string
}

type params struct {
	Name            string          `json:"name"`
	Cursor          *string         `json:"cursor"`
	ProtocolVersion string          `json:"protocolVersion"`
	RequestID       json.RawMessage `json:"requestId"`
	RequestState    string          `json:"requestState"`
	Arguments       struct {
		Nonce string `json:"nonce"`
	} `json:"arguments"`
	Meta struct {
		ProgressToken   json.RawMessage `json:"progressToken"`
		ProtocolVersion string          `json:"io.modelcontextprotocol/protocolVersion"`
	} `json:"_meta"`
}

func parse(text []byte) (message, error) {
	m := message{text: string(text)}
	if err := json.Unmarshal(text, &m); err != nil {
		return message{}, fmt.Errorf("parse a message: %w", err)
	}
	return m, nil
}

func (m message) isRequest() bool  { return m.Method != "" && len(m.ID) > 0 }
func (m message) isResponse() bool { return m.Method == "" }

// isModern reports whether the message follows 2026-07-28 or later, where every
// request names its version in _meta.
func (m message) isModern() bool { return m.Params.Meta.ProtocolVersion != "" }

// key identifies the request among all that one server is working on.
func (m message) key() string { return m.session + "/" + string(m.ID) }

// resultTo returns the response to m. fields are the result's members, as JSON;
// resultType is added where m's version has it.
func resultTo(m message, fields string) []byte {
	if m.isModern() {
		if fields != "" {
			fields = "," + fields
		}
		fields = `"resultType":"complete"` + fields
	}
	return response(string(m.ID), `"result":{`+fields+`}`)
}

func errorTo(m message, code int, text string) []byte {
	return response(string(m.ID), errorMember(code, text))
}

// response returns a response with the given id and one further member, as JSON.
func response(id, member string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,%s}`, id, member)
}

func errorMember(code int, text string) string {
	return fmt.Sprintf(`"error":{"code":%d,"message":%s}`, code, quote(text))
}

func notification(method, paramFields string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%q,"params":{%s}}`, method, paramFields)
}

func request(id, method string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%q}`, id, method)
}

// quote returns text as a JSON string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always encodes
	return string(quoted)
}
