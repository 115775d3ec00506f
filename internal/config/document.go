package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// maxFileBytes bounds every file that is read. Some products keep their history
// in the file that also has their MCP servers, so it is generous.
const maxFileBytes = 16 * mib

// document is one configuration file that was read.
type document struct {
	path string
	base string // what relative paths and ${workspaceFolder} in it mean
	ours bool   // mcpbridge's own YAML, where everything unknown is a mistake
	root node
}

// at names a line of the document, as compilers do.
func (d *document) at(line int) string {
	return d.path + ":" + strconv.Itoa(line)
}

// resolve makes a path that the document names absolute.
func (d *document) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.base, path)
}

// workspace returns the folder that the file at path configures: the one it is
// in, or the one above for the files that VS Code and Cursor keep in a folder of
// their own.
func workspace(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the folder of %s: %w", path, err)
	}
	dir := filepath.Dir(absolute)
	switch filepath.Base(dir) {
	case ".vscode", ".cursor":
		return filepath.Dir(dir), nil
	}
	return dir, nil
}

// readDocument reads the file at path and parses it.
func readDocument(path string, ours bool, parse func([]byte) (node, error)) (*document, error) {
	base, err := workspace(path)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	root, err := parse(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return nil, err
	}
	return &document{path: path, base: base, ours: ours, root: root}, nil
}

// readBounded reads a file of at most maxFileBytes. Its error does not repeat
// the path.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { _ = f.Close() }() // opened to read: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if int64(len(data)) > maxFileBytes {
		return nil, fmt.Errorf("has more than %s", formatSize(maxFileBytes))
	}
	return data, nil
}

// unreadable leaves out the path, which stands before the message.
func unreadable(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}
