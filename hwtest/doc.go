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
//
// All that the programs print is kept until the end and searched for the PINs
// and keys of the run ([NoteSecret] adds to them); what is found fails it.
//
// A test that [Each] runs over personalities can be run on real cards instead.
//
// The environment has a say:
//
//	CI=true                nothing is skipped
//	HWTEST_SERIALS         serial numbers of real cards to use instead of
//	                       software cards, separated by commas
//	HWTEST_DESTRUCTIVE=1   what is on them may be destroyed
//	HWTEST_PROMPT=1        the machine has nothing else to do: what is done too
//	                       late fails a test, and is not only logged
//	HWTEST_ARTEFACTS       a folder that keeps what the programs printed
//	CARDTOOL               a cardtool that is built already
//	CARDBRIDGE_PKCS11      a PKCS #11 module that is built already
package hwtest
