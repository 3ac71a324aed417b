package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

// A pinReport is what a card tells of a PIN or PUK.
type pinReport struct {
	Name     string `json:"name"`
	Tries    *int   `json:"tries"`    // left; null where the card does not tell
	Max      *int   `json:"max"`      // when fresh; null where the card does not tell
	Blocked  bool   `json:"blocked"`  // no tries left
	Default  bool   `json:"default"`  // still the factory value
	Verified bool   `json:"verified"` // in the card's present session
	Global   bool   `json:"global"`   // the card's own rather than the PIV application's: the PUK does not unblock it
}

func reportPIN(st card.PINState) pinReport {
	r := pinReport{Name: string(st.Name), Blocked: st.Blocked(), Default: st.Default, Verified: st.Verified, Global: st.Global}
	if st.Tries >= 0 {
		r.Tries = &st.Tries
	}
	if st.Max >= 0 {
		r.Max = &st.Max
	}
	return r
}

func (r pinReport) text() string {
	var s string
	switch {
	case r.Blocked:
		s = "blocked"
	case r.Tries == nil && r.Verified: // then the card counts anew
		s = "verified, so all tries left"
	case r.Tries == nil:
		s = "tries not told by the card"
	case r.Max == nil && *r.Tries == 1:
		s = "1 try left"
	case r.Max == nil:
		s = fmt.Sprintf("%d tries left", *r.Tries)
	default:
		s = fmt.Sprintf("%d of %d tries left", *r.Tries, *r.Max)
	}
	if r.Default {
		s += ", factory value"
	}
	if r.Global {
		s += ", the card's global one"
	}
	return s
}

// An infoReport is what cardtool info says of a card.
type infoReport struct {
	Reader        string               `json:"reader"`
	Applet        string               `json:"applet"`       // "PIV"
	Manufacturer  string               `json:"manufacturer"` // "" where the card does not tell
	Model         string               `json:"model"`
	Serial        string               `json:"serial"`  // what --serial takes
	Version       string               `json:"version"` // firmware; "" where the card does not tell
	PINs          []pinReport          `json:"pins"`
	ManagementKey *managementKeyReport `json:"managementKey"` // null where the card does not tell

	unclear error // what the card tells of its management key and makes no sense
}

// A managementKeyReport is what a card tells of its management key.
type managementKeyReport struct {
	Algorithm string `json:"algorithm"` // "3DES", "AES-128", "AES-192", "AES-256"
	Touch     string `json:"touch"`     // touch policy
	Default   bool   `json:"default"`   // still the factory value
	Protected bool   `json:"protected"` // kept on the card behind the PIN
	Derived   bool   `json:"derived"`   // derived from the PIN
}

func (r *managementKeyReport) text() string {
	if r == nil || r.Algorithm == "" {
		return ""
	}
	s := r.Algorithm
	for _, note := range []struct {
		is   bool
		text string
	}{
		{r.Default, "factory value"},
		{r.Protected, "kept behind the PIN"},
		{r.Derived, "derived from the PIN"},
		{r.Touch == string(card.TouchAlways) || r.Touch == string(card.TouchCached), "touch needed"},
	} {
		if note.is {
			s += ", " + note.text
		}
	}
	return s
}

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		Short:   "Show who a card is and how many PIN tries are left",
		Long:    "Show a card's maker, model, serial number and firmware as far as it tells, the tries left of PIN and PUK, and what kind of management key it has. No try is spent.",
		Example: "  cardtool info\n  cardtool info --serial 12345678 --json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				r, err := c.info(cmd.Context())
				if err != nil {
					return err
				}
				if r.unclear != nil {
					a.warn("%v", r.unclear)
				}
				return a.print(r, r.human)
			})
		},
	}
}

func (c *pivCard) info(ctx context.Context) (*infoReport, error) {
	r := &infoReport{Reader: c.conn.Reader()}
	err := c.Together(ctx, func(ctx context.Context) error {
		id, err := c.Identity(ctx)
		if err != nil {
			return err
		}
		r.Applet, r.Manufacturer, r.Model, r.Serial = string(id.Applet), id.Manufacturer, id.Model, id.Serial
		if id.Version.Known() {
			r.Version = id.Version.String()
		}
		if r.PINs, err = c.pins(ctx); err != nil {
			return err
		}
		mk, err := c.ManagementKey(ctx)
		switch {
		case err == nil:
			r.ManagementKey = reportManagementKey(mk)
		case errors.Is(err, card.ErrInvalidAnswer): // and the rest is told
			r.unclear = err
		case !errors.Is(err, card.ErrUnsupported):
			return err
		}
		return nil
	})
	return r, err
}

func reportManagementKey(mk piv.ManagementKeyInfo) *managementKeyReport {
	return &managementKeyReport{string(mk.Algorithm), string(mk.TouchPolicy), mk.Default, mk.Protected, mk.Derived}
}

func (r *infoReport) human(w io.Writer) {
	pairs := []string{
		"Reader", r.Reader, "Applet", r.Applet, "Manufacturer", r.Manufacturer, "Model", r.Model,
		"Serial number", r.Serial, "Firmware", r.Version,
	}
	for _, p := range r.PINs {
		pairs = append(pairs, p.Name, p.text())
	}
	facts(w, append(pairs, "Management key", r.ManagementKey.text())...)
}
