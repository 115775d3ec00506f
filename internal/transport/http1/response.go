package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxInterim bounds the interim (1xx) responses before the one that counts.
const maxInterim = 5

// receive reads the head of the response and prepares its body.
func (c *conn) receive(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		resp, err := c.head()
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, fmt.Errorf("%w: the server switches protocols unasked", ErrMalformed)
		case resp.StatusCode < 200:
			continue
		}
		resp.Request = req
		return resp, c.frame(resp)
	}
	return nil, fmt.Errorf("%w: more than %d interim responses", ErrMalformed, maxInterim)
}

// head reads the status line and the header.
func (c *conn) head() (*http.Response, error) {
	left := c.t.headerBytes()
	line, err := c.line(&left)
	if err != nil {
		return nil, err
	}
	resp := &http.Response{ProtoMajor: 1}
	if err := readStatus(resp, line); err != nil {
		return nil, err
	}
	resp.Header = make(http.Header, usualFields)
	values := make([]string, 0, usualFields)
	for {
		line, err := c.line(&left)
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			return resp, nil
		}
		if values, err = addField(resp.Header, values, string(line)); err != nil {
			return nil, err
		}
	}
}

// usualFields is how many fields a response of an MCP server has, or fewer.
const usualFields = 8

// line reads a line of a head, of which left bytes may still come. It is valid
// until the next read.
func (c *conn) line(left *int) ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = c.longLine(line, *left)
	}
	switch *left -= len(line); {
	case *left < 0:
		return nil, ErrHeaderTooLong
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// longLine reads on in a line that is longer than the buffer.
func (c *conn) longLine(line []byte, left int) ([]byte, error) {
	long := bytes.Clone(line)
	for len(long) <= left {
		more, err := c.r.ReadSlice('\n')
		long = append(long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
	}
	return long, nil
}

// readStatus reads "HTTP/1.1 200 OK".
func readStatus(resp *http.Response, line []byte) error {
	proto, rest, _ := strings.Cut(string(line), " ")
	code, _, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 100 || proto != "HTTP/1.1" && proto != "HTTP/1.0" {
		return fmt.Errorf("%w: status line %.80q", ErrMalformed, line)
	}
	resp.Proto, resp.ProtoMinor = proto, int(proto[len(proto)-1]-'0')
	resp.Status, resp.StatusCode = rest, int(n)
	return nil
}

// addField reads "Name: value". Lines that continue the one before are long out
// of use and refused (RFC 9112, 5.2). values is the memory of the values.
func addField(h http.Header, values []string, line string) ([]string, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !httpguts.ValidHeaderFieldName(name) {
		return nil, fmt.Errorf("%w: header line %.80q", ErrMalformed, line)
	}
	value = strings.Trim(value, " \t")
	if !httpguts.ValidHeaderFieldValue(value) {
		return nil, fmt.Errorf("%w: value of header %.80q", ErrMalformed, name)
	}
	key := textproto.CanonicalMIMEHeaderKey(name)
	if known, ok := h[key]; ok {
		h[key] = append(known, value)
		return values, nil
	}
	values = append(values, value)
	h[key] = values[len(values)-1 : len(values) : len(values)]
	return values, nil
}

// frame finds out where the body ends (RFC 9112, 6.3).
func (c *conn) frame(resp *http.Response) error {
	b := &body{c: c, r: c.r, left: -1, reusable: resp.ProtoMinor == 1 && !closes(resp.Header)}
	resp.Body, resp.Close, resp.ContentLength = b, !b.reusable, -1
	length, sized, err := contentLength(resp.Header["Content-Length"])
	if err != nil {
		return err
	}
	switch encodings := resp.Header["Transfer-Encoding"]; {
	case resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified || resp.Request.Method == http.MethodHead:
		b.sized(resp, 0)
	case len(encodings) > 0:
		if len(encodings) > 1 || !strings.EqualFold(encodings[0], "chunked") || resp.ProtoMinor == 0 {
			return fmt.Errorf("%w: transfer encoding %.80q", ErrMalformed, encodings)
		}
		// Both at once is how requests are smuggled past intermediaries: the
		// length is to be ignored, and the connection not to be trusted further.
		b.reusable = b.reusable && !sized
		if resp.Request.Method == http.MethodGet {
			c.slim()
		}
		b.chunked()
	case sized:
		b.sized(resp, length)
	default:
		b.reusable = false
	}
	return nil
}

func closes(h http.Header) bool {
	return httpguts.HeaderValuesContainsToken(h["Connection"], "close")
}

// contentLength reads a length that may be given more than once, but the same.
func contentLength(values []string) (n int64, given bool, err error) {
	if len(values) == 0 {
		return 0, false, nil
	}
	for _, v := range values {
		if v != values[0] {
			return 0, false, fmt.Errorf("%w: content lengths %.80q", ErrMalformed, values)
		}
	}
	u, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, false, fmt.Errorf("%w: content length %.80q", ErrMalformed, values[0])
	}
	return int64(u), true, nil
}
