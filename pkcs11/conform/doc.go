// Package conform judges PKCS #11 modules from outside: it loads one into processes of its own, drives it through the C
// interface alone, and compares what it does with the standard and with another module.
//
// A [Target] is a module, the environment it wants and what is on its token. [Target.Start] makes an [App], a process that
// has loaded the module (one application in the standard's sense) and does what it is told, on as many threads as asked.
// The suites take a *testing.T and a Target:
//
//   - [Sessions]: the rules of the chapter on sessions, S1 to S28, and its worked example
//   - [Operations]: lengths, buffers, multi-part work
//   - [Differential]: random call sequences against two modules, return codes compared
//   - [Fuzz]: random calls with random arguments; the module must neither crash, hang nor grow
//   - [Fork], [Hosts], [Threads], [ManySessions]: life in a host process
//
// This package's own tests run the suites on SoftHSM2, which shows that they can be met, and on cardbridge-pkcs11.so with a
// software card; hwtest/pkcs11 runs them behind a real pcscd. CONFORM_MODULE names a module that is built already,
// CONFORM_SEED, CONFORM_CALLS and CONFORM_WALKS ask for another or a longer run of what is random.
//
// The C programs are in csrc and are compiled with the machine's gcc; a test that needs one and finds no gcc is skipped and
// says so.
package conform
