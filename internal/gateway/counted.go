package gateway

import (
	"io"
	"net/http"
)

// A countedBody counts what is read of a request's body.
type countedBody struct {
	io.ReadCloser

	n int64
}

// Read implements [io.Reader].
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err //nolint:wrapcheck // it stands for the body
}

// A countedWriter counts what is written of a response's body, and remembers
// its status.
type countedWriter struct {
	http.ResponseWriter

	n      int64
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *countedWriter) WriteHeader(code int) {
	if w.status == 0 && code >= http.StatusOK {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements [io.Writer].
func (w *countedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err //nolint:wrapcheck // it stands for the writer
}

// Flush implements [http.Flusher].
func (w *countedWriter) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for [http.ResponseController].
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countedWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
