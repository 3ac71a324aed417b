package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.4, general-purpose functions, and 5.5, slots and tokens.

// Info is CK_INFO.
type Info struct {
	CryptokiVersion, LibraryVersion Version
	Manufacturer, Description       string
}

// Version is CK_VERSION.
type Version struct{ Major, Minor byte }

// GetInfo is C_GetInfo.
func (m *Module) GetInfo() Info {
	return Info{Version{3, 2}, Version{0, 1}, "cardbridge", "cardbridge smart card module"}
}

// GetSlotList is C_GetSlotList. Nothing is sent to any card: whether a card is
// there is known already.
func (m *Module) GetSlotList(present bool) []session.SlotID {
	var ids []session.SlotID
	for _, id := range m.lib.manager.Slots() {
		if _, err := m.lib.manager.Token(id); err == nil || !present {
			ids = append(ids, id)
		}
	}
	return ids
}

// SlotInfo is CK_SLOT_INFO.
type SlotInfo struct {
	Description, Manufacturer string
	Flags                     ck.Flags
}

// GetSlotInfo is C_GetSlotInfo. It sends nothing either.
func (m *Module) GetSlotInfo(id session.SlotID) (SlotInfo, error) {
	s, ok := m.lib.slot(id)
	if !ok {
		return SlotInfo{}, ck.CKR_SLOT_ID_INVALID
	}
	info := SlotInfo{s.Reader, "", ck.CKF_REMOVABLE_DEVICE | ck.CKF_HW_SLOT}
	if _, err := m.lib.manager.Token(id); err == nil {
		info.Flags |= ck.CKF_TOKEN_PRESENT
	}
	return info, nil
}

// tokenIn returns the token in a slot.
func (m *Module) tokenIn(id session.SlotID) (*token, error) {
	t, err := m.lib.manager.Token(id)
	if err != nil {
		return nil, err
	}
	return t.(*token), nil
}

// tokenOf returns the token of a session.
func (m *Module) tokenOf(s session.SessionHandle) (*token, error) {
	t, err := m.app.SessionToken(s)
	if err != nil {
		return nil, err
	}
	return t.(*token), nil
}

// GetMechanismList is C_GetMechanismList.
func (m *Module) GetMechanismList(id session.SlotID) ([]ck.MechanismType, error) {
	if _, err := m.tokenIn(id); err != nil {
		return nil, err
	}
	var all []ck.MechanismType
	for _, row := range registry() {
		all = append(all, row.typ)
	}
	return all, nil
}

// MechanismInfo is CK_MECHANISM_INFO.
type MechanismInfo struct {
	Min, Max uint
	Flags    ck.Flags
}

// GetMechanismInfo is C_GetMechanismInfo.
func (m *Module) GetMechanismInfo(id session.SlotID, t ck.MechanismType) (MechanismInfo, error) {
	if _, err := m.tokenIn(id); err != nil {
		return MechanismInfo{}, err
	}
	row := mechanismOf(t)
	if row == nil {
		return MechanismInfo{}, ck.CKR_MECHANISM_INVALID
	}
	return MechanismInfo{row.min, row.max, row.flags()}, nil
}

// WaitForSlotEvent is C_WaitForSlotEvent.
func (m *Module) WaitForSlotEvent(flags ck.Flags) (session.SlotID, error) {
	return m.app.WaitForSlotEvent(flags&ck.CKF_DONT_BLOCK == 0)
}
