package main

// #include "cryptoki.h"
import "C"

import (
	"fmt"
	"os"

	"cardbridge/apdu"
	"cardbridge/internal/host"
	"cardbridge/internal/token"
	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// check reads CK_C_INITIALIZE_ARGS (section 5.4.1). This library locks for
// itself with what the operating system has, whatever mutexes the application
// brings: they could only be slower. CKF_LIBRARY_CANT_CREATE_OS_THREADS is not
// taken at its word: the threads of Go's runtime are there since the library was
// loaded, and p11-kit sets the flag for all of GnuTLS's programs.
func check(args *C.CK_C_INITIALIZE_ARGS) error {
	if args == nil {
		return nil
	}
	given := 0
	for _, f := range []bool{args.CreateMutex != nil, args.DestroyMutex != nil, args.LockMutex != nil, args.UnlockMutex != nil} {
		if f {
			given++
		}
	}
	if args.pReserved != nil || given != 0 && given != 4 {
		return ck.CKR_ARGUMENTS_BAD
	}
	return nil
}

func initialize(args *C.CK_C_INITIALIZE_ARGS) error {
	starting.Lock()
	defer starting.Unlock()
	if current.Load() != nil {
		return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	}
	if err := check(args); err != nil {
		return err
	}
	c, err := load()
	if err != nil {
		return report(err)
	}
	trace, err := newTracer(c.trace)
	if err != nil {
		return report(err)
	}
	start := trace.start()
	h, err := host.New(host.Options{Readers: c.readers, Decorate: decorator(trace)})
	if err != nil {
		trace.end("C_Initialize", start, ck.CKR_FUNCTION_FAILED, err)
		trace.close()
		return report(err)
	}
	c.Config.Log = trace.logger()
	library := pkcs11.New(token.NewSource(h), c.Config)
	current.Store(&instance{library: library, module: library.Module(), trace: trace, close: func() { _ = h.Close() }})
	trace.end("C_Initialize", start, ck.CKR_OK, nil)
	return nil
}

// report says on standard error what no return code can say, once: a
// configuration that makes no sense is a person's mistake, and that person needs
// to hear of it.
func report(err error) error {
	fmt.Fprintf(os.Stderr, "cardbridge-pkcs11: %v\n", err)
	return ck.CKR_FUNCTION_FAILED
}

// decorator traces the APDUs of each reader, secrets left out.
func decorator(t *tracer) func(reader string) apdu.Decorator {
	if t == nil {
		return nil
	}
	return func(string) apdu.Decorator { return apdu.NewTrace(t.log.Writer(), nil) }
}
