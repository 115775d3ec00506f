package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// faulty keeps err for writeError: the generated code makes text of it.
func (b *body) faulty(err error) error {
	b.exchange.fault = err
	return err
}
