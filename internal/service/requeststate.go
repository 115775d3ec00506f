package service

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// errStateLost says that a request_state is none, or none any more, for the
// call that came with it. Which of its marks does not fit is not said.
var errStateLost = errors.New("the request_state is unknown, altered, expired, or belongs to another call; begin anew without it")

// A requestState is what the bridge has to know to go on with a call that a
// server's questions have interrupted. Callers hold it, sealed, so that it
// takes no memory here and no caller can fill that; only a legacy server's
// call, which itself waits here, is found by an id.
type requestState struct {
	Principal string    `json:"p"`
	Target    string    `json:"t"`
	Call      []byte    `json:"c"`
	Expires   time.Time `json:"e"`
	// Era is the server's, where it has ended the call with its questions.
	Era mcp.Era `json:"v,omitempty"`
	// Parked is the id of a call that waits here; empty where the server has
	// ended the call with its questions.
	Parked string `json:"i,omitempty"`
	// Server is the server's own requestState as the JSON text that it sent;
	// nil if it sent none. Not a json.RawMessage, which does not stay as it is.
	Server []byte `json:"s,omitempty"`
	// Questions are those that the responses must fit, by their keys.
	Questions map[string]askedFor `json:"q,omitempty"`
}

// An askedFor is a question as a requestState keeps it.
type askedFor struct {
	Method string          `json:"m"`
	Params json.RawMessage `json:"p,omitempty"`
}

// keysOf returns the questions without what they say.
func keysOf(questions map[string]askedFor) map[string]askedFor {
	keys := make(map[string]askedFor, len(questions))
	for key, q := range questions {
		keys[key] = askedFor{Method: q.Method}
	}
	return keys
}

// digestOf tells one call from another: method, name and arguments, not _meta.
func digestOf(c *mcp.Call) []byte {
	h := sha256.New()
	h.Write([]byte(c.Method))
	h.Write([]byte{0})
	h.Write(c.Params)
	return h.Sum(nil)
}

// A stateSealer turns request states into tokens and back. Its key lives as
// long as the process: after a restart no token is good any more. It may be
// used concurrently.
type stateSealer struct{ aead cipher.AEAD }

func newStateSealer() *stateSealer {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has a valid length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the right block size
	}
	return &stateSealer{aead: aead}
}

// seal returns the token of st.
func (s *stateSealer) seal(st *requestState) (string, error) {
	text, err := json.Marshal(st)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, nil)), nil //nolint:gosec // this AEAD makes its own nonces
}

// open returns the state of a token, if it was sealed for that principal,
// target and call and has not expired; else errStateLost.
func (s *stateSealer) open(token, principal, target string, c *mcp.Call) (*requestState, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, errStateLost
	}
	text, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, errStateLost
	}
	st := new(requestState)
	if err := json.Unmarshal(text, st); err != nil {
		return nil, errStateLost
	}
	if st.Principal != principal || st.Target != target || string(st.Call) != string(digestOf(c)) || time.Now().After(st.Expires) {
		return nil, errStateLost
	}
	return st, nil
}
