package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// maxPrealloc bounds what is allocated for a body on the word of the client
// that so much will come.
const maxPrealloc = 64 << 10

// A body is the body of the request of an exchange.
type body struct {
	io.ReadCloser
	exchange *exchange
}

func (b *body) read() ([]byte, error) {
	var buf bytes.Buffer
	if n := b.exchange.request.ContentLength; n > 0 {
		buf.Grow(int(min(n, maxPrealloc)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(b)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, tooLarge(large.Limit)
	}
	if err != nil {
		return nil, invalid(fmt.Errorf("read the body: %w", err))
	}
	return buf.Bytes(), nil
}

// decode reads the body into v, a message or what target takes for one. It
// returns io.EOF if there is nothing in it. Other errors it keeps for
// writeError: the generated code makes text of them.
func (b *body) decode(codec *restjson.Codec, v any) error {
	data, err := b.read()
	if err != nil {
		b.exchange.fault = err
		return err
	}
	if len(rawjson.Trim(data)) == 0 {
		return io.EOF
	}
	message, err := target(v)
	if err != nil {
		return err
	}
	if err := codec.Decode(data, message); err != nil {
		b.exchange.fault = invalid(err)
	}
	return b.exchange.fault
}
