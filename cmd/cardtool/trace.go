package main

import (
	"fmt"
	"os"
	"sync"

	"cardbridge/apdu"
)

// openTrace makes the decorator behind --trace. One trace follows one reader.
func (a *app) openTrace() (func(string, apdu.Transmitter) apdu.Transmitter, error) {
	w := a.stderr
	if a.global.trace != "-" {
		f, err := os.OpenFile(a.global.trace, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		a.atEnd(func() { f.Close() })
		w = f
	}
	var mu sync.Mutex
	traces := map[string]*apdu.Trace{}
	return func(reader string, t apdu.Transmitter) apdu.Transmitter {
		mu.Lock()
		defer mu.Unlock()
		tr := traces[reader]
		if tr == nil {
			fmt.Fprintf(w, "# %s\n", reader)
			tr = apdu.NewTrace(w, describe)
			traces[reader] = tr
		}
		return apdu.Decorate(t, tr)
	}, nil
}
