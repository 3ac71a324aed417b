package piv

import (
	"bytes"
	"strings"

	"cardbridge/apdu"
	"cardbridge/card"
)

// A CardRow is what is known of a kind of card: the row of docs/cards.md with
// the same name, which a test compares. A card is matched by its ATR and what
// SELECT and GET VERSION answer, and by nothing that costs more.
type CardRow struct {
	Name         string
	Manufacturer string
	Model        string

	label  string // beginning of the application label in SELECT's answer
	yubico bool   // SELECT's answer is Yubico's
	atr    string // and this is in the ATR
	from   card.Version

	HasVersion   bool // Yubico's GET VERSION
	HasSerial    bool // Yubico's GET SERIAL
	HasMetadata  bool // Yubico's GET METADATA
	HasPolicies  bool // PIN and touch policy a key
	HasAttest    bool
	HasImport    bool // IMPORT
	HasSetAdmin  bool // SET MANAGEMENT KEY
	HasRetries   bool // SET PIN RETRIES
	HasReset     bool // RESET
	HasMove      bool // MOVE KEY and DELETE KEY
	HasDiscovery bool // Discovery object worth asking for which PIN is meant

	ManagementKey ManagementAlgorithm // from the factory
	FactoryKey    string              // its bytes where they are not Yubico's
	AESManagement bool                // and it can be made AES

	Algorithms  []card.Algorithm        // keys it can make; nil: ask and see
	IDs         map[card.Algorithm]byte // algorithm identifiers that are its own
	OldIDs      map[card.Algorithm]byte // those of its older firmware, tried where the others are refused
	MaxObject   int                     // bytes in one data object; 0: not known
	MaxCommand  int                     // bytes in one extended command; 0: not known
	AttestsAll  bool                    // ATTEST of imported keys too, and of slots without a key
	OriginFrom0 bool                    // GET METADATA tells a key's origin as 0 and 1, not 1 and 2
	DigitsOnly  bool                    // PINs are 6 to 8 decimal digits
	MayBeMore   bool                    // PINs are digits by the standard, and nothing tells whether the card takes others
	SerialBCD   bool                    // GET SERIAL tells decimal digits
	Tries630X   bool                    // VERIFY tells the tries as 630x
	NoRSAMake   bool                    // makes RSA keys that can be factored

	Defaults string // PIN, PUK and management key from the factory
	Quirk    string
	Source   string
}

// rowOf finds the row of a card: the first one that matches.
func rowOf(t template, v card.Version, atr []byte) *CardRow {
	for i := range cardTable {
		r := &cardTable[i]
		if !bytes.Contains(atr, []byte(r.atr)) {
			continue
		}
		switch {
		case r.yubico:
			if !t.yubico() || !v.AtLeast(r.from.Major, r.from.Minor, r.from.Patch) && v.Known() {
				continue
			}
			if !v.Known() && !r.anyYubico() {
				continue
			}
		case r.label != "":
			if !strings.HasPrefix(t.label, r.label) {
				continue
			}
		}
		return r
	}
	panic("piv: the last row matches every card")
}

// selectForgets tells whether SELECT of PIV drops what was verified. Others keep
// it, as the standard has it (SP 800-73-4 part 2 section 3.1.1), or may.
func (r *CardRow) selectForgets() bool { return r.Manufacturer == "Yubico" }

// anyYubico is the row for a Yubico card whose version was not asked for yet.
func (r *CardRow) anyYubico() bool { return r.yubico && !r.from.Known() }

var (
	algNEO  = []card.Algorithm{card.RSA1024, card.RSA2048, card.P256}
	algYK4  = []card.Algorithm{card.RSA1024, card.RSA2048, card.P256, card.P384}
	algYK57 = []card.Algorithm{
		card.RSA1024, card.RSA2048, card.RSA3072, card.RSA4096,
		card.P256, card.P384, card.Ed25519, card.X25519,
	}
)

// trussedIDs are the algorithm numbers of the Trussed applet that differ, and
// trussedOld those that differed once. E0 and E1, others' Ed25519 and X25519, are
// never sent for these: they would make RSA keys.
var (
	trussedIDs = map[card.Algorithm]byte{card.Ed25519: 0xE2, card.X25519: 0xE3}
	trussedOld = map[card.Algorithm]byte{card.RSA3072: 0xE0, card.RSA4096: 0xE1}
)

const factory = "PIN 123456, PUK 12345678, management key 0102030405060708 three times"

var cardTable = []CardRow{
	{
		Name: "CanoKey", Manufacturer: "CanoKeys", Model: "CanoKey", yubico: true, atr: "Canokey",
		HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, HasMove: true,
		ManagementKey: TripleDES, AESManagement: true,
		Defaults: factory,
		Quirk:    "GET VERSION says 5.0.0 (1.x) or 5.7.0, which is no firmware of its own: not asked; what one has is tried: 1.x has slots 9A to 9E alone, and neither GET METADATA, ATTEST nor SET PIN RETRIES; management key AES-192 alone from 3.1; MOVE KEY to a slot with a key is refused; tries of 1 to 15; its owner can give Ed25519, X25519, RSA-3072 and RSA-4096 other algorithm numbers, which are not asked for",
		Source:   "canokeys/canokey-core, applets/piv/piv.c; canokeys/canokey-documentation, content/development/protocols/piv.md",
	},
	{
		Name: "YubiKey 5.7", Manufacturer: "Yubico", Model: "YubiKey 5", yubico: true, from: card.Version{Major: 5, Minor: 7},
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, HasMove: true,
		ManagementKey: AES192, AESManagement: true, Algorithms: algYK57, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "management key is AES-192 from the factory, the bytes as ever",
		Source: "docs.yubico.com, YubiKey 5.7 firmware; yubikey-manager, yubikit/piv.py",
	},
	{
		Name: "YubiKey 5.4", Manufacturer: "Yubico", Model: "YubiKey 5", yubico: true, from: card.Version{Major: 5, Minor: 4},
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, AESManagement: true, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Source: "developers.yubico.com, PIV, Yubico extensions; yubikey-manager, yubikit/piv.py",
	},
	{
		Name: "YubiKey 5.3", Manufacturer: "Yubico", Model: "YubiKey 5", yubico: true, from: card.Version{Major: 5, Minor: 3},
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Source: "yubikey-manager, yubikit/piv.py (metadata from 5.3, AES management key from 5.4)",
	},
	{
		Name: "YubiKey 5.0", Manufacturer: "Yubico", Model: "YubiKey 5", yubico: true, from: card.Version{Major: 5},
		HasVersion: true, HasSerial: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "no metadata: keys are found by certificate or attestation",
		Source: "yubikey-manager, yubikit/piv.py",
	},
	{
		Name: "YubiKey 4.3.5", Manufacturer: "Yubico", Model: "YubiKey 4", yubico: true, from: card.Version{Major: 4, Minor: 3, Patch: 5},
		HasVersion: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "FIPS (4.4) has neither RSA-1024 nor PIN policy never",
		Source: "yubikey-manager, yubikit/piv.py",
	},
	{
		Name: "YubiKey 4.3", Manufacturer: "Yubico", Model: "YubiKey 4", yubico: true, from: card.Version{Major: 4, Minor: 3},
		HasVersion: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, NoRSAMake: true,
		ManagementKey: TripleDES, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "RSA keys made on the card can be factored (ROCA, CVE-2017-15361): not made",
		Source: "yubikey-manager, yubikit/piv.py; yubico.com, security advisory YSA-2017-01",
	},
	{
		Name: "YubiKey 4.0", Manufacturer: "Yubico", Model: "YubiKey 4", yubico: true, from: card.Version{Major: 4},
		HasVersion: true, HasPolicies: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, NoRSAMake: true,
		ManagementKey: TripleDES, Algorithms: algYK4, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "as 4.3; no attestation, no cached touch",
		Source: "yubikey-manager, yubikit/piv.py; yubico.com, security advisory YSA-2017-01",
	},
	{
		Name: "YubiKey NEO", Manufacturer: "Yubico", Model: "YubiKey NEO", yubico: true, from: card.Version{Patch: 1},
		HasVersion: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, Tries630X: true,
		ManagementKey: TripleDES, Algorithms: algNEO, MaxObject: 2039, MaxCommand: 1390,
		Defaults: factory, Quirk: "before applet 1.0.4 VERIFY tells the tries as 630x",
		Source: "yubikey-manager, yubikit/piv.py; OpenSC, card-piv.c (CI_VERIFY_630X)",
	},
	{
		Name: "YubiKey", Manufacturer: "Yubico", Model: "YubiKey", yubico: true,
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, HasMove: true,
		ManagementKey: TripleDES, AESManagement: true, Tries630X: true, MaxObject: 3063, MaxCommand: 3062,
		Defaults: factory, Quirk: "one that was not asked for its version: what it has is tried, and what it has not remembered",
		Source: "-",
	},
	{
		Name: "Nitrokey 3", Manufacturer: "Nitrokey", Model: "Nitrokey 3", label: "Nitrokey PIV",
		HasSetAdmin: true, HasReset: true, DigitsOnly: true,
		ManagementKey: TripleDES, AESManagement: true,
		IDs: trussedIDs, OldIDs: trussedOld,
		Defaults: factory,
		Quirk:    "GET VERSION says 6.6.6 and GET SERIAL 5437251 on every one: neither is asked; GET METADATA answers with nothing; PIN of digits only; firmware before 1.8.2 has numbers of its own, E0 and E1 being RSA-3072 and RSA-4096, and wants the PIN for key 9E too; RESET takes a blocked PIN and no blocked PUK, which is never told; 9A has a key from the factory, without a certificate",
		Source:   "trussed-dev/piv-authenticator, src/lib.rs, src/piv_types.rs, src/commands.rs, src/container.rs and src/constants.rs; Nitrokey/nitrokey-3-firmware, release 1.8.2",
	},
	{
		Name: "Solo 2", Manufacturer: "SoloKeys", Model: "Solo 2", label: "SoloKeys PIV",
		HasSetAdmin: true, HasReset: true, DigitsOnly: true,
		ManagementKey: TripleDES, AESManagement: true,
		IDs: trussedIDs, OldIDs: trussedOld,
		Defaults: factory, Quirk: "as Nitrokey 3: an older state of the same applet",
		Source: "trussed-dev/piv-authenticator, src/constants.rs",
	},
	{
		Name: "Token2 PIN+", Manufacturer: "Token2", Model: "Token2 PIN+", label: "PivApplet", atr: "TK\x00PIV",
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, AESManagement: true, SerialBCD: true,
		FactoryKey: strings.Repeat("\x86\x53\x62", 8),
		Defaults:   "PIN 123456, PUK 12345678, management key 865362 eight times",
		Quirk:      "GET VERSION says 5.112.0; PIN policies, no touch policies; RESET is done at once, whatever the tries",
		Source:     "OpenSC, issue 3545; framefilter/keyroost, crates/keyroost-piv/src/compat.rs, issues 113 and 125",
	},
	{
		Name: "Thetis PRO", Manufacturer: "Thetis", Model: "Thetis PRO", label: "PivApplet", atr: "8888888",
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, AESManagement: true, SerialBCD: true,
		Defaults: factory, Quirk: "the applet of Token2 PIN+",
		Source: "framefilter/keyroost, crates/keyroost-piv/src/compat.rs and issue 125",
	},
	{
		Name: "PivApplet 0.9", Manufacturer: "", Model: "PivApplet", label: "PivApplet v",
		HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES, AESManagement: true, AttestsAll: true, OriginFrom0: true,
		Algorithms: []card.Algorithm{card.RSA1024, card.RSA2048, card.P256, card.P384},
		Defaults:   factory,
		Quirk:      "GET VERSION says 5.4.0 on every one: not asked; GET METADATA leaves the algorithm out where there is no key and with PIN and PUK, and tells the origin as 0 (generated) and 1 (imported); ATTEST of imported keys too, and of slots without a key; retired slots 82 to 8C alone; what a build left out is 6D00 or 6A80",
		Source:     "arekinath/PivApplet, PivApplet.java (0.9.0)",
	},
	{
		Name: "PivApplet", Manufacturer: "", Model: "PivApplet", label: "PivApplet",
		HasPolicies: true, HasAttest: true, AttestsAll: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true,
		ManagementKey: TripleDES,
		Algorithms:    []card.Algorithm{card.RSA1024, card.RSA2048, card.P256},
		Defaults:      factory, Quirk: "GET VERSION says 5.0.0 on every one: not asked; ATTEST of imported keys too, and of slots without a key; retired slots 82 to 8C alone; JavaCards before 3.0.5 have no bare ECDSA: P-256 keys agree (ECDH) and do not sign",
		Source: "arekinath/PivApplet, README.adoc and PivApplet.java",
	},
	{
		Name: "OpenFIPS201", Manufacturer: "", Model: "OpenFIPS201", label: "OpenFIPS201",
		HasSetAdmin: true, HasReset: true, HasDiscovery: true, MayBeMore: true, ManagementKey: TripleDES, AESManagement: true,
		Defaults: "the issuer's: random PIN and PUK, no management key, no keys, no objects",
		Quirk:    "slots, their algorithms and objects exist as the personaliser made them; an object that was made and not filled may be answered with 9000 alone; the global PIN may be the only one; the management key may have one form of authentication only; Yubico's commands are those of Swissbit's iShield Key 2, which tells of every slot, with a key or without, what was made last: not believed",
		Source:   "makinako/OpenFIPS201, PIV.java and Config.java (1.10); framefilter/keyroost, issue 113",
	},
	{
		Name: "ATKey", Manufacturer: "AuthenTrend", Model: "ATKey", label: "ATPIV",
		HasVersion: true, HasSerial: true, HasMetadata: true, HasPolicies: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, HasMove: true,
		ManagementKey: TripleDES, AESManagement: true,
		Defaults: factory, Quirk: "GET VERSION says 6.0.1; no RSA-3072 and beyond, no Ed25519",
		Source: "framefilter/keyroost, crates/keyroost-piv/src/compat.rs",
	},
	{
		Name: "Pico Keys", Manufacturer: "Pico Keys", Model: "Pico OpenPGP", label: "Pico Keys PIV",
		HasMetadata: true, HasPolicies: true, HasAttest: true, HasImport: true, HasSetAdmin: true, HasRetries: true, HasReset: true, HasMove: true,
		ManagementKey: AES192, AESManagement: true,
		Defaults: factory,
		Quirk:    "SELECT's template has a length of 0, or no tag 61 at all, and the Discovery object is not one; GET VERSION says 5.7.0, which is no firmware of its own: not asked; GENERATE leaves a certificate in the slot, without tag 70; no ECDH",
		Source:   "polhenarejos/pico-openpgp, src/openpgp/piv.c",
	},
	{
		Name: "PIV card", Manufacturer: "", Model: "PIV card",
		HasDiscovery: true, MayBeMore: true, ManagementKey: TripleDES, AESManagement: true,
		Defaults: "the issuer's", Quirk: "every other card: nothing beyond the standard is assumed; a PIN of other than digits is sent only when that is insisted on",
		Source: "NIST SP 800-73-4 and -5, SP 800-78-5",
	},
}

// Cards returns the table of cards.
func Cards() []CardRow { return append([]CardRow(nil), cardTable...) }

// algorithmID is the algorithm's identifier on this card.
func (r *CardRow) algorithmID(a card.Algorithm) (byte, bool) {
	if id, ok := r.IDs[a]; ok {
		return id, true
	}
	row, ok := algorithmRow(a)
	return row.ID, ok
}

// numbered sends what carries the algorithm's identifier: where the card refuses
// it and older firmware had another one, with that too, from then on with that
// alone.
func (x *tx) numbered(a card.Algorithm, send func(id byte) ([]byte, error)) ([]byte, error) {
	id, _ := x.row().algorithmID(a)
	old, has := x.row().OldIDs[a]
	if has && x.c.facts.oldIDs {
		id, has = old, false
	}
	b, err := send(id)
	if !has || !otherNumber(err) {
		return b, err
	}
	b, again := send(old)
	if otherNumber(again) {
		return nil, err
	}
	x.c.facts.oldIDs = x.ours || again == nil
	return b, again
}

// otherNumber: a card says so of an algorithm's identifier that it has not.
func otherNumber(err error) bool {
	s, _ := apdu.StatusOf(err)
	return s == apdu.ErrIncorrectData || s == apdu.ErrIncorrectP1P2 || s == apdu.ErrReferenceNotFound
}

// algorithmOf is the algorithm of an identifier on this card.
func (r *CardRow) algorithmOf(id byte) (AlgorithmRow, bool) {
	for a, own := range r.IDs {
		if own == id {
			return algorithmRow(a)
		}
	}
	for _, row := range algorithmTable {
		if _, replaced := r.IDs[row.Algorithm]; row.ID == id && !replaced {
			return row, true
		}
	}
	return AlgorithmRow{}, false
}
