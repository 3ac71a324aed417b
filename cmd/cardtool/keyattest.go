package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
	"cardbridge/internal/cli/keyfile"
)

// An attestationReport is what an attestation says, once it is verified.
type attestationReport struct {
	Slot       string   `json:"slot"`
	Verified   bool     `json:"verified"` // false only with --no-verify
	Serial     string   `json:"serial,omitempty"`
	Version    string   `json:"version,omitempty"` // firmware
	PIN        string   `json:"pin,omitempty"`     // PIN policy
	Touch      string   `json:"touch,omitempty"`   // touch policy
	FormFactor string   `json:"formFactor,omitempty"`
	FIPS       bool     `json:"fips"`
	CSPN       bool     `json:"cspn"`
	Algorithm  string   `json:"algorithm,omitempty"`
	Chain      []string `json:"chain"` // certificates in PEM: the attestation first, the root last

	proof, subjects string
}

func (a *app) keyAttestCommand() *cobra.Command {
	var (
		out     output
		roots   string
		trusted attestationTrust
	)
	cmd := &cobra.Command{
		Use:   "attest SLOT",
		Short: "Show that a key was made on the card",
		Long: `Have the card certify that the key in a slot was made on it, verify that against
the maker's roots, and show what it says. With --output the certificate and
the card's own attestation certificate are written in PEM.`,
		Example:           "  cardtool key attest 9a\n  cardtool key attest 9a -o attestation.pem --json",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			slot, err := slotArg(argv[0])
			if err != nil {
				return err
			}
			if roots != "" {
				if trusted.roots, err = a.readCertificates(roots); err != nil {
					return err
				}
			}
			if out.path != "" {
				if err := out.open(false); err != nil {
					return err
				}
			}
			return a.withCard(ctx, func(c *pivCard) error { return a.attest(ctx, c, slot, &out, trusted) })
		},
	}
	cmd.Flags().StringVar(&roots, "roots", "", "accept the root certificates in this `file` too")
	cmd.Flags().BoolVar(&trusted.anyRoot, "any-root", false, "accept the card's own attestation certificate, whoever made it")
	cmd.Flags().BoolVar(&trusted.unverified, "no-verify", false, "do not verify")
	cmd.MarkFlagsMutuallyExclusive("roots", "any-root", "no-verify")
	a.outputFlags(cmd, &out, "attestation")
	return cmd
}

// attestationTrust says how much an attestation has to prove.
type attestationTrust struct {
	roots               []*x509.Certificate // beside the maker's
	anyRoot, unverified bool
}

func (a *app) attest(ctx context.Context, c *pivCard, slot piv.Slot, out *output, trust attestationTrust) error {
	var attestation, device []byte
	err := c.Together(ctx, func(ctx context.Context) (err error) {
		if attestation, err = c.Attest(ctx, slot.Ref); err != nil {
			return err
		}
		device, err = c.Certificate(ctx, "f9")
		if errors.Is(err, card.ErrNotFound) && trust.unverified {
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	r := attestationReport{Slot: string(slot.Ref), Chain: []string{string(keyfile.CertificatePEM(attestation))}}
	if device != nil {
		r.Chain = append(r.Chain, string(keyfile.CertificatePEM(device)))
	}
	if !trust.unverified {
		roots := trust.roots
		if trust.anyRoot {
			root, err := x509.ParseCertificate(device)
			if err != nil {
				return fmt.Errorf("attestation certificate of the card: %w", err)
			}
			roots = append(roots, root)
		}
		at, err := piv.VerifyAttestation(attestation, device, roots...)
		if err != nil {
			return hinted{signatureError{fmt.Errorf("attestation of slot %s: %w", slot.Ref, err)}, "--roots names other roots, --any-root takes the card's own"}
		}
		if at.Ref != slot.Ref {
			return signatureError{fmt.Errorf("the card attests slot %s when asked for slot %s: not what was asked for", at.Ref, slot.Ref)}
		}
		r.fill(at)
		r.proof = "yes, verified to " + subjectOf(at.Chain[len(at.Chain)-1])
		if trust.anyRoot {
			r.proof = "so the card itself says; no maker vouches for that"
		}
	}
	if out.w != nil {
		n := min(len(r.Chain), 2)
		if err := out.put([]byte(strings.Join(r.Chain[:n], ""))); err != nil {
			return err
		}
		if out.toStdout() {
			return nil
		}
	}
	return a.print(r, func(w io.Writer) {
		if !r.Verified && out.w == nil {
			fmt.Fprint(w, strings.Join(r.Chain, ""))
			return
		}
		r.human(w)
	})
}

func (r *attestationReport) fill(at *piv.Attestation) {
	r.Verified = true
	r.Serial, r.Version, r.FormFactor = at.Serial, at.Version.String(), at.FormFactor
	r.PIN, r.Touch, r.FIPS, r.CSPN = string(at.PINPolicy), string(at.TouchPolicy), at.FIPS, at.CSPN
	r.Algorithm = publicKeyText(at.Public)
	r.Chain = nil
	var subjects []string
	for _, c := range at.Chain {
		r.Chain = append(r.Chain, string(keyfile.CertificatePEM(c.Raw)))
		subjects = append(subjects, subjectOf(c))
	}
	r.subjects = strings.Join(subjects, " < ")
}

func (r *attestationReport) human(w io.Writer) {
	if !r.Verified {
		return
	}
	facts(w, "Made on the card", r.proof, "Chain", r.subjects, "Slot", r.Slot, "Key", r.Algorithm, "PIN", r.PIN, "Touch", r.Touch,
		"Serial number", r.Serial, "Firmware", r.Version, "Form factor", r.FormFactor)
}
