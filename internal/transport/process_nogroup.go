//go:build !unix

package transport

import (
	"errors"
	"fmt"
	"syscall"
)

// groupAttr refuses to start a child that could not be stopped with all that
// it has started in turn.
func groupAttr() (*syscall.SysProcAttr, error) {
	return nil, fmt.Errorf("stdio servers need process groups: %w", errors.ErrUnsupported)
}

func signalGroup(int, syscall.Signal) {}
