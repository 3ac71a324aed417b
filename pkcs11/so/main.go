// Command so is cardbridge-pkcs11.so: the C side of package pkcs11, built with
// -buildmode=c-shared. What C sees is generated from one table (pkcs11/ck/gen);
// here is what a table cannot say. It is the only package with unsafe code:
// arguments are copied in, results are copied out, and no Go pointer crosses.
package main

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// #include "cryptoki.h"
import "C"

func main() {}

// go_enter is how a thread of the host enters Go for the first time: signals.c.
//
//export go_enter
func go_enter() {}

// An instance is the library from one C_Initialize to its C_Finalize.
type instance struct {
	library *pkcs11.Library
	module  *pkcs11.Module
	close   func()
	trace   *tracer
}

// The one mutable global of the module.
var (
	starting sync.Mutex // held by C_Initialize and C_Finalize
	current  atomic.Pointer[instance]
)

// call runs a function of the module and gives its error a code.
func call(name string, f func(*pkcs11.Module) error) C.CK_RV {
	in := current.Load()
	if in == nil {
		return C.CK_RV(ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	start := in.trace.start()
	err := guard(f, in.module)
	rv := pkcs11.Code(err)
	in.trace.end(name, start, rv, err)
	return C.CK_RV(rv)
}

// guard is where a panic ends: the caller is no Go program.
func guard(f func(*pkcs11.Module) error, m *pkcs11.Module) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", ck.CKR_GENERAL_ERROR, p, debug.Stack())
		}
	}()
	return f(m)
}

// finalize ends the current instance.
func finalize() error {
	starting.Lock()
	defer starting.Unlock()
	in := current.Swap(nil)
	if in == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	err := in.module.Close()
	in.library.Close()
	in.close()
	in.trace.end("C_Finalize", time.Time{}, pkcs11.Code(err), nil)
	in.trace.close()
	return err
}
