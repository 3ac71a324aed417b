//go:build cgo

package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
	"github.com/spf13/cobra"

	"cardbridge/pkcs11/ck"
)

// pkcs11ModuleCommands load a module, ours or another.
func (a *app) pkcs11ModuleCommands() []*cobra.Command {
	return []*cobra.Command{
		a.moduleCommand("info", "Show what a module says of itself", (*moduleRun).info),
		a.moduleCommand("slots", "List a module's slots and the tokens in them", (*moduleRun).slots),
		a.moduleCommand("objects", "List the objects on a module's tokens", (*moduleRun).objects),
		a.moduleCommand("mechanisms", "List what a module's tokens can do", (*moduleRun).mechanisms),
		a.moduleCommand("test", "Check a module that one does not trust", (*moduleRun).test),
	}
}

// A moduleRun is a module that is loaded for one command.
type moduleRun struct {
	*pkcs11.Ctx
	a    *app
	path string
	pin  string // empty for no login
}

func (a *app) moduleCommand(name, short string, run func(*moduleRun) error) *cobra.Command {
	var module string
	cmd := &cobra.Command{
		Use:     name,
		Short:   short,
		Example: fmt.Sprintf("  cardtool pkcs11 %s\n  cardtool pkcs11 %s --module /usr/lib/softhsm/libsofthsm2.so", name, name),
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			path, err := modulePath(module)
			if err != nil {
				return err
			}
			m := &moduleRun{Ctx: pkcs11.New(path), a: a, path: path}
			if m.Ctx == nil {
				return inputf("%s cannot be loaded as a PKCS #11 module", path)
			}
			defer m.Destroy()
			if s := a.secrets[pinSecret.flag]; s != nil && s.given() {
				pin, err := a.read(s)
				if err != nil {
					return err
				}
				defer pin.Wipe()
				// The binding takes a string, which cannot be wiped.
				_ = pin.Use(func(b []byte) error {
					m.pin = string(b)
					return nil
				})
			}
			if err := m.Initialize(); err != nil {
				return fmt.Errorf("%s: C_Initialize: %w", path, err)
			}
			defer m.Finalize() //nolint:errcheck // the command is over
			return run(m)
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "the module's `file` (default: ours)")
	if name == "objects" || name == "test" {
		a.takes(cmd, pinSecret)
	}
	return cmd
}

type moduleReport struct {
	Module       string `json:"module"`       // the file
	Cryptoki     string `json:"cryptoki"`     // version of the standard
	Manufacturer string `json:"manufacturer"` // who made it
	Description  string `json:"description"`  // what it is
	Version      string `json:"version"`      // of the module
}

func (m *moduleRun) info() error {
	info, err := m.GetInfo()
	if err != nil {
		return err
	}
	v := func(v pkcs11.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
	r := moduleReport{m.path, v(info.CryptokiVersion), trim(info.ManufacturerID), trim(info.LibraryDescription), v(info.LibraryVersion)}
	return m.a.print(r, func(w io.Writer) {
		table(w, [][]string{
			{"module", r.Module},
			{"cryptoki", r.Cryptoki},
			{"manufacturer", r.Manufacturer},
			{"description", r.Description},
			{"version", r.Version},
		})
	})
}

func trim(s string) string { return strings.TrimRight(s, " \x00") }

// A slotsReport is what a module has slots for, in JSON.
type slotsReport struct {
	Slots []tokenReport `json:"slots"` // with a token or without
}

type tokenReport struct {
	Slot         uint     `json:"slot"`                   // the module's number
	Reader       string   `json:"reader"`                 // the slot's description
	Token        string   `json:"token,omitempty"`        // its label, if there is one
	Manufacturer string   `json:"manufacturer,omitempty"` // of the token
	Model        string   `json:"model,omitempty"`        // of the token
	Serial       string   `json:"serial,omitempty"`       // of the token
	Flags        []string `json:"flags,omitempty"`        // what a user wants to know of its PIN
	Error        string   `json:"error,omitempty"`        // where the token does not answer
}

// tokenFlags are the flags of CK_TOKEN_INFO that people want to know.
var tokenFlags = []struct {
	flag uint
	text string
}{
	{pkcs11.CKF_WRITE_PROTECTED, "write protected"},
	{pkcs11.CKF_LOGIN_REQUIRED, "login required"},
	{pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH, "PIN pad"},
	{pkcs11.CKF_USER_PIN_COUNT_LOW, "wrong PIN entered"},
	{pkcs11.CKF_USER_PIN_FINAL_TRY, "last PIN try"},
	{pkcs11.CKF_USER_PIN_LOCKED, "PIN blocked"},
	{pkcs11.CKF_USER_PIN_TO_BE_CHANGED, "factory PIN"},
}

func (m *moduleRun) slots() error {
	ids, err := m.GetSlotList(false)
	if err != nil {
		return err
	}
	reports := []tokenReport{}
	rows := [][]string{{"SLOT", "READER", "TOKEN", "FLAGS"}}
	for _, id := range ids {
		r := tokenReport{Slot: id}
		slot, err := m.GetSlotInfo(id)
		if err != nil {
			return err
		}
		r.Reader = trim(slot.SlotDescription)
		if slot.Flags&pkcs11.CKF_TOKEN_PRESENT != 0 {
			if info, err := m.GetTokenInfo(id); err != nil {
				r.Error = err.Error()
			} else {
				r.Token, r.Manufacturer, r.Model, r.Serial = trim(info.Label), trim(info.ManufacturerID), trim(info.Model), trim(info.SerialNumber)
				for _, f := range tokenFlags {
					if info.Flags&f.flag != 0 {
						r.Flags = append(r.Flags, f.text)
					}
				}
			}
		}
		reports = append(reports, r)
		rows = append(rows, []string{fmt.Sprint(r.Slot), r.Reader, r.Token + r.Error, strings.Join(r.Flags, ", ")})
	}
	return m.a.print(slotsReport{reports}, func(w io.Writer) { table(w, rows) })
}

// A tokenObjectsReport is what is on a module's tokens, in JSON.
type tokenObjectsReport struct {
	Objects []tokenObjectReport `json:"objects"` // that can be seen
}

type tokenObjectReport struct {
	Slot  uint   `json:"slot"`            // where the token is
	Class string `json:"class"`           // CKA_CLASS, by its name
	Type  string `json:"type,omitempty"`  // of a key: CKA_KEY_TYPE
	ID    string `json:"id,omitempty"`    // CKA_ID, in hex
	Label string `json:"label,omitempty"` // CKA_LABEL
}

func (m *moduleRun) objects() error {
	reports := []tokenObjectReport{}
	rows := [][]string{{"SLOT", "CLASS", "TYPE", "ID", "LABEL"}}
	err := m.tokens(func(slot uint, s pkcs11.SessionHandle) error {
		all, err := m.find(s, nil)
		if err != nil {
			return err
		}
		for _, o := range all {
			r := tokenObjectReport{Slot: slot, Label: string(m.value(s, o, ck.CKA_LABEL)), ID: hex.EncodeToString(m.value(s, o, ck.CKA_ID))}
			r.Class = strings.TrimPrefix(ck.ObjectClass(number(m.value(s, o, ck.CKA_CLASS))).String(), "CKO_")
			if v := m.value(s, o, ck.CKA_KEY_TYPE); v != nil {
				r.Type = strings.TrimPrefix(ck.KeyType(number(v)).String(), "CKK_")
			}
			reports = append(reports, r)
			rows = append(rows, []string{fmt.Sprint(slot), r.Class, r.Type, r.ID, r.Label})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.a.print(tokenObjectsReport{reports}, func(w io.Writer) { table(w, rows) })
}

// tokens runs f with a session for each token, logged in where a PIN is given.
func (m *moduleRun) tokens(f func(slot uint, s pkcs11.SessionHandle) error) error {
	ids, err := m.GetSlotList(true)
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := m.OpenSession(id, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			return fmt.Errorf("slot %d: C_OpenSession: %w", id, err)
		}
		if m.pin != "" {
			if err := m.Login(s, pkcs11.CKU_USER, m.pin); err != nil {
				return fmt.Errorf("slot %d: C_Login: %w", id, err)
			}
		}
		if err := f(id, s); err != nil {
			return fmt.Errorf("slot %d: %w", id, err)
		}
		if err := m.CloseSession(s); err != nil {
			return fmt.Errorf("slot %d: C_CloseSession: %w", id, err)
		}
	}
	return nil
}

func (m *moduleRun) find(s pkcs11.SessionHandle, t []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := m.FindObjectsInit(s, t); err != nil {
		return nil, fmt.Errorf("C_FindObjectsInit: %w", err)
	}
	all, _, err := m.FindObjects(s, 1000)
	if err != nil {
		return nil, fmt.Errorf("C_FindObjects: %w", err)
	}
	return all, m.FindObjectsFinal(s)
}

// value is an attribute, nil where it is not told.
func (m *moduleRun) value(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, t ck.AttributeType) []byte {
	a, err := m.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(uint(t), nil)})
	if err != nil || len(a) != 1 {
		return nil
	}
	return a[0].Value
}

// number reads a CK_ULONG in the machine's order of bytes.
func number(b []byte) (n uint) {
	for _, c := range slices.Backward(b) {
		n = n<<8 | uint(c)
	}
	return n
}

// A mechanismsReport is what a module's tokens can do, in JSON.
type mechanismsReport struct {
	Mechanisms []mechanismReport `json:"mechanisms"` // of all slots
}

type mechanismReport struct {
	Slot      uint     `json:"slot"`      // where the token is
	Mechanism string   `json:"mechanism"` // its name in the standard
	Min       uint     `json:"min"`       // least size of a key, in the mechanism's unit
	Max       uint     `json:"max"`       // greatest
	Does      []string `json:"does"`      // what it is for
}

// does are the flags of CK_MECHANISM_INFO that say what a mechanism is for.
var does = []struct {
	flag ck.Flags
	text string
}{
	{ck.CKF_ENCRYPT, "encrypt"},
	{ck.CKF_DECRYPT, "decrypt"},
	{ck.CKF_DIGEST, "digest"},
	{ck.CKF_SIGN, "sign"},
	{ck.CKF_VERIFY, "verify"},
	{ck.CKF_SIGN_RECOVER, "sign-recover"},
	{ck.CKF_VERIFY_RECOVER, "verify-recover"},
	{ck.CKF_GENERATE, "generate"},
	{ck.CKF_GENERATE_KEY_PAIR, "generate-pair"},
	{ck.CKF_WRAP, "wrap"},
	{ck.CKF_UNWRAP, "unwrap"},
	{ck.CKF_DERIVE, "derive"},
	{ck.CKF_HW, "on the card"},
}

func (m *moduleRun) mechanisms() error {
	ids, err := m.GetSlotList(true)
	if err != nil {
		return err
	}
	reports := []mechanismReport{}
	rows := [][]string{{"SLOT", "MECHANISM", "KEYS", "DOES"}}
	for _, id := range ids {
		all, err := m.GetMechanismList(id)
		if err != nil {
			return fmt.Errorf("slot %d: %w", id, err)
		}
		for _, mech := range all {
			info, err := m.GetMechanismInfo(id, []*pkcs11.Mechanism{mech})
			if err != nil {
				return fmt.Errorf("slot %d: C_GetMechanismInfo: %w", id, err)
			}
			r := mechanismReport{Slot: id, Mechanism: strings.TrimPrefix(ck.MechanismType(mech.Mechanism).String(), "CKM_"), Min: info.MinKeySize, Max: info.MaxKeySize}
			for _, d := range does {
				if ck.Flags(info.Flags)&d.flag != 0 {
					r.Does = append(r.Does, d.text)
				}
			}
			reports = append(reports, r)
			rows = append(rows, []string{fmt.Sprint(id), r.Mechanism, fmt.Sprintf("%d-%d", r.Min, r.Max), strings.Join(r.Does, ", ")})
		}
	}
	return m.a.print(mechanismsReport{reports}, func(w io.Writer) { table(w, rows) })
}
