package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// child is a stdio server and the calls that wait for its answers.
type child struct {
	mu      sync.Mutex // guards out and waiting
	out     []byte     // lines that no write has taken yet
	waiting map[int64]chan []byte
	in      io.Writer
	wake    chan struct{} // holds one value while out may have lines
}

// stdioBackend runs -cmd and speaks with it by lines, many in one write where
// calls come faster than writes: the least that a stdio hop can cost.
func stdioBackend() backendCall {
	f := strings.Fields(*command)
	cmd := exec.Command(f[0], f[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	c := &child{waiting: make(map[int64]chan []byte), in: in, wake: make(chan struct{}, 1)}
	go c.write()
	go c.read(bufio.NewReaderSize(out, 64<<10))
	if _, err := c.do([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"passthru","version":"1"}}}`), 0); err != nil {
		log.Fatal(err)
	}
	return func(_ context.Context, tool string, args []byte) ([]byte, error) {
		id := nextID.Add(1)
		return c.do(envelope(nil, id, tool, args), id)
	}
}

func (c *child) do(line []byte, id int64) ([]byte, error) {
	answer := make(chan []byte, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	c.out = append(append(c.out, line...), '\n')
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	b, ok := <-answer
	if !ok {
		return nil, errors.New("the child has gone")
	}
	return result(b)
}

func (c *child) write() {
	var spare []byte
	for range c.wake {
		c.mu.Lock()
		lines := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		if _, err := c.in.Write(lines); err != nil {
			log.Fatal(err)
		}
		spare = lines
	}
}

func (c *child) read(r *bufio.Reader) {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			log.Fatal(err)
		}
		line = bytes.TrimSpace(line)
		id, err := answered(line)
		if err != nil {
			log.Fatal(err)
		}
		c.mu.Lock()
		answer := c.waiting[id]
		delete(c.waiting, id)
		c.mu.Unlock()
		if answer != nil {
			answer <- line
		}
	}
}

// answered is the id of an answer of upstream's, which writes it first.
func answered(line []byte) (int64, error) {
	_, rest, found := bytes.Cut(line, []byte(`"id":`))
	digits, _, ok := bytes.Cut(rest, []byte(`,`))
	if !found || !ok {
		return 0, errors.New("no id in " + string(line[:min(len(line), 200)]))
	}
	return strconv.ParseInt(string(digits), 10, 64)
}
