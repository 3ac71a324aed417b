// A second shared library in Go, to be loaded in one process with the module: two Go runtimes.
package main

import "C"

import (
	"runtime"
	"time"
)

var count int

// Beat is called by nobody: that the library is loaded and busy is enough.
//
//export Beat
func Beat() C.int { return C.int(count) }

func init() {
	go func() {
		for range time.Tick(time.Millisecond) {
			count++
			_ = make([]byte, 1<<16)
			runtime.GC()
		}
	}()
}

func main() {}
