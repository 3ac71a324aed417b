//go:build !linux

package reader

import (
	"context"
	"errors"
	"runtime"
)

// service: only asking tells here.
func (d *diagnosis) service(context.Context) bool { return true }

func (d *diagnosis) refused(err error) {
	fix := serviceAdvice(err)
	if runtime.GOOS == "windows" && !errors.Is(err, errNoCgo) {
		fix = "sc start SCardSvr"
	}
	d.add("PC/SC service", Problem, err.Error(), fix)
}

func (d *diagnosis) drivers(states []State) {
	if len(states) == 0 {
		d.add("readers", Problem, "no reader is connected", "connect one")
	}
}

func (d *diagnosis) neighbours([]State) {}
