package softcard

import (
	"bytes"
	"encoding/hex"
)

// An application is one of a card's, chosen by SELECT.
type application struct {
	aid     []byte
	feature feature // the personality must have it
	about   func(r *request) []byte
	run     func(r *request) ([]byte, uint16)
}

var (
	aidPIV        = mustHex("A000000308000010000100")
	aidManagement = mustHex("A000000527471117")
	aidOTP        = mustHex("A000000527200101")
	aidOpenPGP    = mustHex("D276000124010304000600000000" + "0000")
	aidManager    = mustHex("A000000151000000")
)

// shortestAID is how far an AID may be cut from the right: to the registered identifier of five bytes, ISO 7816-5.
const shortestAID = 5

// applications are all there are. The card manager stands for whatever else a card has: something to select that is not PIV.
// It cannot be a literal: the functions in it look into it.
func applications() []application {
	return []application{
		{aidPIV, 0, pivTemplate, runPIV},
		{aidManagement, featDevice, managementVersion, runManagement},
		{aidOTP, featDevice, otpStatus, runOTP},
		{aidOpenPGP, featDevice, noData, runNothing},
		{aidManager, 0, managerTemplate, runNothing},
	}
}

func noData(*request) []byte { return nil }

func runNothing(*request) ([]byte, uint16) { return nil, swNoInstruction }

func managerTemplate(*request) []byte { return makeTLV(0x6F, makeTLV(0x84, aidManager), makeTLV(0xA5)) }

// selectApplication is SELECT, §3.1.1. On a card that follows the standard, selecting PIV while it is selected changes nothing,
// nor does an AID that the card does not have. On YubiKeys the first drops what was verified, and the second leaves no
// application selected (both seen by OpenSC's author: OpenSC issues 624 and 1243). Selecting any other application drops it
// everywhere.
func (r *request) selectApplication() ([]byte, uint16) {
	if r.cmd.p1 != 0x04 || r.cmd.p2 != 0x00 && r.cmd.p2 != 0x0C {
		return nil, swBadP1P2
	}
	for _, app := range applications() {
		if !r.personality().has(app.feature) || len(r.cmd.data) < shortestAID || !bytes.HasPrefix(app.aid, r.cmd.data) {
			continue
		}
		again := r.power().app != nil && bytes.Equal(r.power().app.aid, app.aid)
		if !again || !r.personality().keepOnSelect {
			r.power().deselect()
		}
		r.power().app = &app
		if r.cmd.p2 == 0x0C {
			return nil, swOK
		}
		return app.about(r), swOK
	}
	if !r.personality().keepOnSelect {
		r.power().deselect()
	}
	return nil, swNotFound
}

// selectOther is another program's SELECT of something that is not PIV.
func (c *Card) selectOther() {
	apps := applications()
	c.power.deselect()
	c.power.app = &apps[len(apps)-1]
}

// pivTemplate is the application property template, §3.1.1 table 3.
func pivTemplate(r *request) []byte {
	identifier := makeTLV(0x4F, aidPIV[5:])
	authority := makeTLV(0x79, makeTLV(0x4F, aidPIV[:5]))
	if r.personality().features != 0 {
		return makeTLV(0x61, identifier, authority)
	}
	return makeTLV(0x61, identifier, authority,
		makeTLV(0x50, []byte("PIV Card Application")),
		makeTLV(0x5F50, []byte("https://csrc.nist.gov/pubs/sp/800/73/4/upd1/final")))
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
