package oauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// KeyBytes is the length of the key of a [File].
const KeyBytes = 32

// maxFileBytes bounds a File's file, which is read as a whole.
const maxFileBytes = 64 << 20

// fileHeader begins the file, and is authenticated with what follows.
const fileHeader = "mcpbridge-tokens-1\n"

// A File is a Store in a file, encrypted with AES-256-GCM. It is for one
// process: what another one writes is lost.
type File struct {
	path string
	seal cipher.AEAD
	// most is how long the file may become.
	most int

	mu     sync.Mutex // guards values, and the writing of the file
	values map[string][]byte
}

var _ Store = (*File)(nil)

// ParseKeyText reads the key of a File: 32 bytes in base64.
func ParseKeyText(text string) ([]byte, error) {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := encoding.DecodeString(text); err == nil && len(key) == KeyBytes {
			return key, nil
		}
	}
	return nil, fmt.Errorf("is not %d bytes in base64; make one with: openssl rand -base64 %d", KeyBytes, KeyBytes)
}

// OpenFile reads the file at path, which need not exist.
func OpenFile(path string, key []byte) (*File, error) {
	block, err := aes.NewCipher(key)
	if err != nil || len(key) != KeyBytes {
		return nil, fmt.Errorf("open token file: the key is not %d bytes long", KeyBytes)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("open token file: %w", err)
	}
	f := &File{path: path, seal: seal, most: maxFileBytes, values: make(map[string][]byte)}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("open token file %s: %w", path, err)
	}
	return f, nil
}

func (f *File) read() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return errors.New("is not a file of tokens")
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	head := len(fileHeader) + f.seal.NonceSize()
	if len(data) < head || string(data[:len(fileHeader)]) != fileHeader {
		return errors.New("is not a file of tokens")
	}
	text, err := f.seal.Open(nil, data[len(fileHeader):head], data[head:], []byte(fileHeader))
	if err != nil {
		return errors.New("cannot be decrypted: the key is another one, or the file was altered")
	}
	if err := json.Unmarshal(text, &f.values); err != nil || f.values == nil {
		return errors.New("is damaged")
	}
	return nil
}

// Get implements [Store].
func (f *File) Get(key string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.values[key]
	return v, ok
}

// Put implements [Store]. It returns when the file is written.
func (f *File) Put(key string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	values := maps.Clone(f.values)
	if value == nil {
		delete(values, key)
	} else {
		values[key] = value
	}
	if err := f.write(values); err != nil {
		return fmt.Errorf("write token file %s: %w", f.path, err)
	}
	f.values = values
	return nil
}

// write replaces the file as a whole, so that there is always a complete one.
func (f *File) write(values map[string][]byte) error {
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	nonce := make([]byte, f.seal.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	data := append([]byte(fileHeader), nonce...)
	data = f.seal.Seal(data, nonce, text, []byte(fileHeader))
	if len(data) > f.most { // it could not be read again
		return fmt.Errorf("it would be longer than %d bytes", f.most)
	}
	// CreateTemp makes the file with mode 0600.
	tmp, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone if all went well
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path)
}
