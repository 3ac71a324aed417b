package softcard

import (
	"bytes"
	"slices"
)

// A Personality is a kind of card that a state file can be created as.
type Personality struct {
	Name        string
	Description string
}

// DefaultPersonality is what a card is where nothing else is asked for.
const DefaultPersonality = "yubikey-5.7"

// A feature is something beyond the standard that a personality has.
type feature uint

const (
	featVersion  feature = 1 << iota // GET VERSION
	featSerial                       // GET SERIAL in the PIV application (firmware 5)
	featMetadata                     // GET METADATA (5.3)
	featAdmin                        // IMPORT KEY, SET MANAGEMENT KEY, SET PIN RETRIES, RESET
	featPolicies                     // PIN and touch policy a key (4.0)
	featAttest                       // ATTEST (4.3)
	featMove                         // MOVE KEY, DELETE KEY (5.7)
	featAESAdmin                     // the management key may be AES (5.4)
	featDevice                       // the management and OTP applications beside PIV, which Yubico's tools ask first
)

const (
	yubikey4 = featVersion | featAdmin | featPolicies | featAttest | featDevice
	yubikey5 = yubikey4 | featSerial | featMetadata | featAESAdmin
)

// A personality is one row: all there is to know of a kind of card. What is not here is the same on every card.
type personality struct {
	Personality
	historical   []byte // historical bytes of the ATR, ISO 7816-4 §8.1
	interfaceB   byte   // TB3 of the ATR: waiting times
	features     feature
	firmware     [3]byte // of Yubico's; the rest have none
	algorithms   []byte  // of asymmetric keys
	adminDefault byte    // algorithm of the fresh management key

	extended     bool // extended APDUs are understood (whatever the ATR says)
	chunk        int  // most data bytes in one answer to a short command
	chunkExt     int  // ... to an extended command
	wrongLe6C    bool // a short Le that is too small is answered 6CXX, not 61XX
	announceOnly bool // a command without Le gets its data by GET RESPONSE only

	pinTries, pukTries int
	pinPolicy          map[byte]byte // by slot where it is not defaultPINPolicy's
	globalPIN          byte          // PIN usage policy in the discovery object; 0: no discovery object
	globalPINPrimary   byte          // its second byte
	strictPIN          bool          // a PIN that is no PIN by §2.4.3 is 6A80 and costs no try
	keepOnSelect       bool          // §3.1.1: selecting PIV again, or what is not there, leaves what was verified
	hideAbsent         bool          // an absent object that would need the PIN is 6982, not 6A82
	anyObject          bool          // PUT DATA may make objects that the standard does not name
	issued             bool          // comes with CHUID and CCC, as an issued card does
	maxObject          int
	emptySlot          uint16 // answer to the use of a slot without a key
}

// The historical bytes begin with category 80 (compact TLV) and card capabilities 73: C0 21 and in the third byte 80 for
// command chaining, 40 for extended lengths.
var (
	histExtended     = []byte("\x80\x73\xC0\x21\xC0\x57softPIV")
	histShort        = []byte("\x80\x73\xC0\x21\x80\x57softPIV")
	histYubiKey5     = []byte("\x80\x73\xC0\x21\xC0\x57YubiKey")
	histYubiKeyShort = []byte("\x80\x73\xC0\x21\x80\x57YubiKey")
	histYubiKey4     = []byte("Yubikey4")
)

var (
	algNIST = []byte{algRSA1024, algRSA2048, algRSA3072, algP256, algP384}
	algYK4  = []byte{algRSA1024, algRSA2048, algP256, algP384}
	algYK57 = []byte{algRSA1024, algRSA2048, algRSA3072, algRSA4096, algP256, algP384, algEd25519, algX25519}
)

// nist is a card of the standard and nothing else; the rows below that begin with it say in what they differ.
func nist(name, description string, change func(*personality)) personality {
	p := personality{
		Personality: Personality{name, description},
		historical:  histExtended, interfaceB: 0x45,
		algorithms: algNIST, adminDefault: adminTDES,
		extended: true, chunk: shortLe, chunkExt: extendedLe, announceOnly: true,
		pinTries: 3, pukTries: 3,
		globalPIN: 0x40, globalPINPrimary: 0x00,
		strictPIN: true, keepOnSelect: true, hideAbsent: true, issued: true,
		maxObject: 12 * 1024,
		emptySlot: swBadP1P2,
	}
	if change != nil {
		change(&p)
	}
	return p
}

// yubikey is a YubiKey of the firmware.
func yubikey(name, description string, firmware [3]byte, features feature, change func(*personality)) personality {
	p := personality{
		Personality: Personality{name, description},
		historical:  histYubiKey5, interfaceB: 0x15,
		features: features, firmware: firmware,
		algorithms: algYK4, adminDefault: adminTDES,
		extended: true, chunk: shortLe, chunkExt: extendedLe,
		pinTries: 3, pukTries: 3,
		globalPIN: 0x40, globalPINPrimary: 0x00,
		anyObject: true,
		maxObject: 3072,
		emptySlot: swBadData,
	}
	if change != nil {
		change(&p)
	}
	return p
}

var personalities = []personality{
	yubikey(DefaultPersonality, "YubiKey 5 with firmware 5.7: AES-192 management key, RSA to 4096, Ed25519, X25519, move and delete",
		[3]byte{5, 7, 4}, yubikey5|featMove, func(p *personality) {
			p.algorithms, p.adminDefault = algYK57, adminAES192
		}),
	yubikey("yubikey-5.7-short", "YubiKey 5 with firmware 5.7 in a reader for short APDUs only: chains, and answers continued with 61XX",
		[3]byte{5, 7, 4}, yubikey5|featMove, func(p *personality) {
			p.algorithms, p.adminDefault = algYK57, adminAES192
			p.historical, p.extended = histYubiKeyShort, false
		}),
	yubikey("yubikey-5.4", "YubiKey 5 with firmware 5.4: metadata, 3DES management key, RSA to 2048",
		[3]byte{5, 4, 3}, yubikey5, nil),
	nist("nist", "plain NIST SP 800-73-4: no vendor commands, extended APDUs, issued with CHUID, CCC and discovery object", nil),
	nist("nist-short", "plain NIST with short APDUs only: 256-byte answers continued with 61XX, 6CXX for an Le too small",
		func(p *personality) {
			p.historical, p.extended, p.wrongLe6C = histShort, false, true
		}),
	yubikey("yubikey-4", "YubiKey 4 with firmware 4.3.5: no metadata, 3DES management key, short APDUs only",
		[3]byte{4, 3, 5}, yubikey4, func(p *personality) {
			p.historical, p.extended = histYubiKey4, false
		}),
	nist("max255", "plain NIST that never returns more than 255 bytes, status word included, whatever was asked",
		func(p *personality) { p.chunk, p.chunkExt = 253, 253 }),
	nist("no-extended", "plain NIST that answers 6700 to the extended APDUs its ATR advertises",
		func(p *personality) { p.extended = false }),
	yubikey("odd-policy", "YubiKey 5.4 with 8 PIN tries, 5 PUK tries and PIN policies of its own (9a always, 9c once, 9d never, 9e once)",
		[3]byte{5, 4, 3}, yubikey5, func(p *personality) {
			p.pinTries, p.pukTries = 8, 5
			p.pinPolicy = map[byte]byte{0x9A: pinAlways, 0x9C: pinOnce, 0x9D: pinNever, 0x9E: pinOnce}
			for slot := byte(firstRetired); slot <= lastRetired; slot++ {
				p.pinPolicy[slot] = pinAlways
			}
		}),
	nist("global-pin", "plain NIST whose discovery object makes the card's global PIN the primary one, beside the application's",
		func(p *personality) { p.globalPIN, p.globalPINPrimary = 0x60, 0x20 }),
}

// Personalities lists them, the default first.
func Personalities() []Personality {
	out := make([]Personality, len(personalities))
	for i := range personalities {
		out[i] = personalities[i].Personality
	}
	return out
}

func personalityByName(name string) (*personality, bool) {
	for i := range personalities {
		if personalities[i].Name == name {
			return &personalities[i], true
		}
	}
	return nil, false
}

// atr is the answer to reset: direct convention, T=1, IFSC 254 (ISO 7816-3 §8.2); the last byte makes the sum of all after
// the first nought.
func (p *personality) atr() []byte {
	b := []byte{0x3B, 0xF0 | byte(len(p.historical)), 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, p.interfaceB}
	b = append(b, p.historical...)
	var sum byte
	for _, v := range b[1:] {
		sum ^= v
	}
	return append(b, sum)
}

func (p *personality) has(f feature) bool { return p.features&f == f }

func (p *personality) canMake(algorithm byte) bool {
	return bytes.IndexByte(p.algorithms, algorithm) >= 0
}

// hasGlobalPIN tells whether the card-wide PIN (key reference 00) opens the application: bit 6 of the PIN usage policy.
func (p *personality) hasGlobalPIN() bool { return p.globalPIN&0x20 != 0 }

// canAdminister tells whether the management key may be of the algorithm.
func (p *personality) canAdminister(algorithm byte) bool {
	return algorithm == adminTDES || p.has(featAESAdmin) && slices.Contains([]byte{adminAES128, adminAES192, adminAES256}, algorithm)
}
