// Cardtool is the command line of cardbridge: it shows the cards in a
// computer's readers, makes and moves keys and certificates on them, and signs,
// decrypts and agrees on keys with them. docs/cardtool.md describes it.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(a.main(os.Args[1:]))
}

// main runs a command line until it is done or a signal ends it.
func (a *app) main(args []string) int {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		signal.Stop(signals) // a second one ends the process at once
		stop(errInterrupted)
	}()
	return a.run(ctx, args)
}

var errInterrupted = errors.New("interrupted")
