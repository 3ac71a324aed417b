package pkcs11

import (
	"slices"
	"strings"

	"cardbridge/card"
	"cardbridge/internal/secret"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// TokenInfo is CK_TOKEN_INFO. What the card does not tell is
// ck.Unavailable.
type TokenInfo struct {
	Label, Manufacturer, Model, Serial string
	Flags                              ck.Flags
	MaxSessions, Sessions              uint
	MaxRWSessions, RWSessions          uint
	MaxPIN, MinPIN                     uint
	TotalPublic, FreePublic            uint
	TotalPrivate, FreePrivate          uint
	Hardware, Firmware                 Version
}

// usualTries is how many tries a fresh PIN has where the card does not tell.
const usualTries = 3

// GetTokenInfo is C_GetTokenInfo. It asks the card who it is (once per
// insertion) and how the PIN stands (each time: another program may have
// changed that).
func (m *Module) GetTokenInfo(id session.SlotID) (TokenInfo, error) {
	t, err := m.tokenIn(id)
	if err != nil {
		return TokenInfo{}, err
	}
	who, pin, err := t.describe()
	if err != nil {
		return TokenInfo{}, err
	}
	counts, err := m.app.SessionCounts(id)
	if err != nil {
		return TokenInfo{}, err
	}
	least, greatest := t.card.PINLimits()
	info := TokenInfo{
		Label: t.label(who), Manufacturer: who.Manufacturer, Model: who.Model, Serial: who.Serial,
		Flags: ck.CKF_RNG | ck.CKF_LOGIN_REQUIRED | ck.CKF_USER_PIN_INITIALIZED | ck.CKF_TOKEN_INITIALIZED |
			ck.CKF_DUAL_CRYPTO_OPERATIONS |
			ck.CKF_RESTORE_KEY_NOT_NEEDED, // states are saved of digests only
		Sessions: uint(counts.Sessions), RWSessions: uint(counts.RWSessions),
		MaxPIN: uint(greatest), MinPIN: uint(least),
		TotalPublic: ck.Unavailable, FreePublic: ck.Unavailable, TotalPrivate: ck.Unavailable, FreePrivate: ck.Unavailable,
		// CK_VERSION has two numbers and its second one is in hundredths.
		Firmware: Version{who.Version.Major, min(who.Version.Minor*10+who.Version.Patch, 99)},
	}
	if _, ok := t.card.(AdminToken); !ok {
		info.Flags |= ck.CKF_WRITE_PROTECTED
	}
	info.Flags |= t.pinFlags(pin)
	switch _, err := t.padToken(t.ctx); {
	case err == nil:
		info.Flags |= ck.CKF_PROTECTED_AUTHENTICATION_PATH
	case err != ck.CKR_ARGUMENTS_BAD: //nolint:errorlint // padToken's own
		return TokenInfo{}, err
	}
	return info, nil
}

// pinFlags are the flags of CK_TOKEN_INFO for the user's PIN.
func (t *token) pinFlags(pin card.PINState) (f ck.Flags) {
	most := pin.Max
	if most <= 0 {
		most = usualTries
	}
	if pin.Tries >= 0 && pin.Tries < most {
		f |= ck.CKF_USER_PIN_COUNT_LOW
	}
	if pin.Tries == 1 {
		f |= ck.CKF_USER_PIN_FINAL_TRY
	}
	if pin.Tries == 0 {
		f |= ck.CKF_USER_PIN_LOCKED
	}
	if pin.Default {
		f |= ck.CKF_USER_PIN_TO_BE_CHANGED
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finalTry = pin.Tries == 1
	return f
}

// label is CK_TOKEN_INFO's: what the configuration says, else what people find a
// card by, the model and the number printed on it.
func (t *token) label(who card.Identity) string {
	name := who.Model
	if name == "" {
		name = string(who.Applet) + " card"
	}
	if l := t.lib.config.Label; l != "" {
		slot, _ := t.lib.slot(t.slot)
		return strings.NewReplacer("{model}", name, "{manufacturer}", who.Manufacturer, "{serial}", who.Serial,
			"{applet}", string(who.Applet), "{reader}", slot.Reader).Replace(l)
	}
	serial := who.Serial
	if room := 32 - len(name) - 2; len(serial) > room {
		serial = serial[:max(0, room)]
	}
	if serial == "" {
		return name
	}
	return name + " #" + serial
}

// InitToken is C_InitToken: it makes the card as it left the factory, where the
// configuration allows that and pin is the SO's. The label has no place on a
// card and is not kept.
func (m *Module) InitToken(id session.SlotID, pin []byte, _ string) error {
	t, err := m.tokenIn(id)
	if err != nil {
		return err
	}
	admin, ok := t.card.(AdminToken)
	if !ok || !m.lib.config.AllowReset {
		return ck.CKR_TOKEN_WRITE_PROTECTED
	}
	return m.lib.manager.InitToken(id, func(session.Token) error {
		if err := admin.ProveAdmin(t.ctx, pin); err != nil {
			return err
		}
		defer func() { _ = admin.LogoutAdmin(t.ctx) }()
		if err := admin.Reset(t.ctx); err != nil {
			return err
		}
		t.pinUsed(true)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all, t.identity = false, nil
		clear(t.keys)
		clear(t.certs)
		clear(t.objects)
		return nil
	})
}

// InitPIN is C_InitPIN: the SO sets the user's PIN. A card wants the secret
// that unblocks the PIN for this; that is what the SO logged in with. A nil PIN is
// typed on the reader's keys.
func (m *Module) InitPIN(s session.SessionHandle, pin []byte) error {
	w, err := m.writer(s)
	if err != nil {
		return err
	}
	if w.state != session.CKS_RW_SO_FUNCTIONS {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	return m.withPIN(s, w, func() error {
		if pin == nil {
			return w.onPad(func(p PadToken) error { return p.UnblockPINOnPad(w.ctx, false) })
		}
		replacement := secret.New(slices.Clone(pin))
		defer replacement.Wipe()
		return w.card.UnblockPIN(w.ctx, nil, replacement)
	})
}

// SetPIN is C_SetPIN: of the SO in a R/W SO session, of the user in the others.
// Where the user's PIN is blocked and nobody is logged in, old is what unblocks
// it: callers that know cards do it so (OpenSC's "set PIN in unlogged session").
// Where both are nil they are typed on the reader's keys; the SO's is nothing to
// type.
func (m *Module) SetPIN(s session.SessionHandle, old, replacement []byte) error {
	w, err := m.writer(s)
	if err != nil {
		return err
	}
	so := w.state == session.CKS_RW_SO_FUNCTIONS
	typed := old == nil && replacement == nil
	if typed && so || !typed && (old == nil || replacement == nil) {
		return ck.CKR_ARGUMENTS_BAD
	}
	return m.withPIN(s, w, func() error {
		if so {
			return w.card.ChangeAdmin(w.ctx, old, replacement)
		}
		blocked := false
		if w.state == session.CKS_RW_PUBLIC_SESSION {
			pin, err := w.card.PINState(w.ctx, card.PIN)
			if err != nil {
				return err
			}
			blocked = pin.Blocked()
		}
		if typed {
			return w.onPad(func(p PadToken) error {
				if blocked {
					return p.UnblockPINOnPad(w.ctx, true)
				}
				return p.ChangePINOnPad(w.ctx, w.mayspend())
			})
		}
		before, after := secret.New(slices.Clone(old)), secret.New(slices.Clone(replacement))
		defer before.Wipe()
		defer after.Wipe()
		if blocked {
			return w.card.UnblockPIN(w.ctx, before, after)
		}
		return w.card.ChangePIN(w.ctx, before, after, w.mayspend())
	})
}

// withPIN is Do for what changes the PIN.
func (m *Module) withPIN(s session.SessionHandle, w *writer, work func() error) error {
	err := m.app.Do(s, work)
	w.pinUsed(err == nil)
	return err
}
