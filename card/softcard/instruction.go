package softcard

// A condition is what must have been shown to the card before an instruction.
type condition int

const (
	always        condition = iota
	needsAdmin              // the management key
	needsAdminPIN           // the management key and the PIN
)

// An instruction is a row: all there is to know of it before its own code runs.
type instruction struct {
	ins     byte
	name    string
	feature feature // the personality must have it, else 6D00
	needs   condition
	run     func(*request) ([]byte, uint16)
}

const insGeneralAuthenticate = 0x87

// instructions: SP 800-73-4 part 2 table 2; from F6 on, Yubico's.
var instructions = []instruction{
	{0x20, "VERIFY", 0, always, verify},
	{0x24, "CHANGE REFERENCE DATA", 0, always, changeReference},
	{0x2C, "RESET RETRY COUNTER", 0, always, resetRetryCounter},
	{0x47, "GENERATE ASYMMETRIC KEY PAIR", 0, needsAdmin, generate},
	{insGeneralAuthenticate, "GENERAL AUTHENTICATE", 0, always, generalAuthenticate},
	{0xCB, "GET DATA", 0, always, getData},
	{0xDB, "PUT DATA", 0, needsAdmin, putData},
	{0xF6, "MOVE KEY", featMove, needsAdmin, moveKey},
	{0xF7, "GET METADATA", featMetadata, always, getMetadata},
	{0xF8, "GET SERIAL", featSerial, always, getSerial},
	{0xF9, "ATTEST", featAttest, always, attest},
	{0xFA, "SET PIN RETRIES", featAdmin, needsAdminPIN, setRetries},
	{0xFB, "RESET", featAdmin, always, reset},
	{0xFD, "GET VERSION", featVersion, always, getVersion},
	{0xFE, "IMPORT KEY", featAdmin, needsAdmin, importKey},
	{0xFF, "SET MANAGEMENT KEY", featAdmin, needsAdmin, setAdminKey},
}

// runPIV is the PIV application.
func runPIV(r *request) ([]byte, uint16) {
	for _, i := range instructions {
		if i.ins != r.cmd.ins || !r.personality().has(i.feature) {
			continue
		}
		if i.needs != always && !r.power().admin || i.needs == needsAdminPIN && !r.pinVerified() {
			return nil, swSecurity
		}
		return i.run(r)
	}
	return nil, swNoInstruction
}
