//go:build !linux

package hwtest

import (
	"errors"
	"os/exec"
)

func namespaces(*exec.Cmd) {}

func probe() error { return errors.New("only Linux has them") }

func arrange() error { return probe() }

func dieWithUs(*exec.Cmd) {}

func (d *daemon) pause() func() { return func() {} }
