// Package hwtest runs suites through a real pcscd.
//
// A test binary that calls [Main] runs once more inside namespaces of its own:
// mounts (its own /run, so its own pcscd), network (its own ports) and
// processes (whatever it leaves behind ends with it). The pcscd, the readers
// and the cards of the machine are neither seen nor touched. There, [Start]
// starts pcscd with virtual readers (vsmartcard's vpcd) and puts a software
// card into each, and [Rig.Run] runs the programs that are to use them.
//
// Where namespaces are not allowed or programs are missing, the tests are
// skipped with a line saying so; with CI=true in the environment that is a
// failure.
package hwtest
