package piv

import (
	"context"

	"cardbridge/card"
)

// Probe selects the applet: SELECT, SP 800-73-4 part 2 section 3.1.1. Access
// condition: always. card.ErrNoApplet where there is none. Selecting drops what
// was verified; a Login is repaired by the operation that needs it.
func (c *Card) Probe(ctx context.Context) error {
	_, err := run(ctx, c, need{what: "select PIV", again: true}, func(x *tx) (struct{}, error) {
		return struct{}{}, x.prove()
	})
	return err
}

// Identity tells who the card is: vendor and model as its quirk row has them,
// firmware version (GET VERSION) and serial number (GET SERIAL) where it has
// these commands of Yubico's, else the GUID or FASC-N of its CHUID (SP 800-73-4 part 1,
// section 3.1.2). Access condition: always.
func (c *Card) Identity(ctx context.Context) (card.Identity, error) {
	return run(ctx, c, need{what: "identify the card", again: true}, func(x *tx) (card.Identity, error) {
		version, err := x.version()
		if err != nil {
			return card.Identity{}, err
		}
		serial, err := x.serial()
		if err != nil {
			return card.Identity{}, err
		}
		if serial != c.owner { // who asks takes the card that is there
			c.forgetSecrets()
			c.owner = serial
		}
		row := x.row()
		return card.Identity{
			Applet: card.PIV, Manufacturer: row.Manufacturer, Model: row.Model,
			Serial: serial.value, Version: version,
		}, nil
	})
}
