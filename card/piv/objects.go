package piv

import (
	"fmt"
	"strconv"
	"strings"

	"cardbridge/apdu"
	"cardbridge/card"
)

// A Tag names a data object: what follows 5C in GET DATA and PUT DATA
// (SP 800-73-4 part 1, table 3).
type Tag = apdu.Tag

// Tags of the objects that this package itself reads or writes.
const (
	TagDiscovery  Tag = 0x7E
	TagBITGroup   Tag = 0x7F61
	TagCHUID      Tag = 0x5FC102
	TagCCC        Tag = 0x5FC107
	TagPrinted    Tag = 0x5FC109
	TagKeyHistory Tag = 0x5FC10C
	TagAdminData  Tag = 0x5FFF00
)

// An Object is a data object that is known: a row of SP 800-73-4 part 1,
// tables 2 and 3, or one of Yubico's or Microsoft's own.
type Object struct {
	Tag   Tag
	Name  string // what the command line takes: "chuid"
	Label string // what its specification calls it
	PIN   bool   // reading it needs the PIN
	Slot  card.KeyRef
	// Bare objects come without the tag 53 around them (7E and 7F61), and
	// cannot be written with PUT DATA's 5C form.
	Bare bool
	// ReadOnly objects are never written by this package.
	ReadOnly bool

	decode func([]byte) (any, error)
}

var objectTable = makeObjects()

func makeObjects() []Object {
	o := []Object{
		{Tag: TagCCC, Name: "ccc", Label: "Card Capability Container", decode: into(decodeCCC)},
		{Tag: TagCHUID, Name: "chuid", Label: "Card Holder Unique Identifier", decode: into(decodeCHUID)},
		{Tag: 0x5FC103, Name: "fingerprints", Label: "Cardholder Fingerprints", PIN: true, decode: into(decodeBiometric)},
		{Tag: 0x5FC106, Name: "security", Label: "Security Object", decode: into(decodeSecurityObject)},
		{Tag: 0x5FC108, Name: "facial-image", Label: "Cardholder Facial Image", PIN: true, decode: into(decodeBiometric)},
		{Tag: TagPrinted, Name: "printed", Label: "Printed Information", PIN: true, decode: decodePrintedOrProtected},
		{Tag: TagDiscovery, Name: "discovery", Label: "Discovery Object", Bare: true, ReadOnly: true, decode: into(decodeDiscovery)},
		{Tag: TagKeyHistory, Name: "key-history", Label: "Key History Object", decode: into(decodeKeyHistory)},
		{Tag: 0x5FC121, Name: "iris-images", Label: "Cardholder Iris Images", PIN: true, decode: into(decodeBiometric)},
		{Tag: TagBITGroup, Name: "bit-group", Label: "Biometric Information Templates Group Template", Bare: true, ReadOnly: true, decode: into(decodeBITGroup)},
		{Tag: 0x5FC122, Name: "sm-signer", Label: "Secure Messaging Certificate Signer", decode: into(decodeSMSigner)},
		{Tag: 0x5FC123, Name: "pairing-code", Label: "Pairing Code Reference Data Container", PIN: true, decode: into(decodePairingCode)},
		{Tag: TagAdminData, Name: "admin-data", Label: "Yubico Admin Data", decode: into(decodeAdminData)},
		{Tag: 0x5FFF10, Name: "mscmap", Label: "Yubico Minidriver Container Map", decode: into(decodeOpaque)},
	}
	for i := range 5 {
		o = append(o, Object{
			Tag: 0x5FFF11 + Tag(i), Name: "msroots" + strconv.Itoa(i+1),
			Label: fmt.Sprintf("Yubico Minidriver Roots %d", i+1), decode: into(decodeOpaque),
		})
	}
	for _, s := range slotTable {
		o = append(o, Object{
			Tag: s.Object, Name: "cert-" + string(s.Ref), Label: "X.509 Certificate for " + s.Label,
			Slot: s.Ref, decode: into(decodeCertificateObject),
		})
	}
	return o
}

func into[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		v, err := f(b)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}

// Objects returns the table of data objects.
func Objects() []Object { return append([]Object(nil), objectTable...) }

// ObjectByName finds an object by its name ("chuid") or its tag in hex
// ("5FC102"); a tag that is not in the table is taken as it is.
func ObjectByName(name string) (Object, bool) {
	n := strings.ToLower(name)
	for _, o := range objectTable {
		if n == o.Name {
			return o, true
		}
	}
	t, err := strconv.ParseUint(strings.TrimPrefix(n, "0x"), 16, 24)
	if err != nil || t == 0 {
		return Object{}, false
	}
	return objectOf(Tag(t)), true
}

func objectOf(tag Tag) Object {
	for _, o := range objectTable {
		if o.Tag == tag {
			return o
		}
	}
	return Object{Tag: tag, Name: strings.ToLower(tag.String()), Label: "Data Object " + tag.String(), decode: into(decodeOpaque)}
}

// Decode reads an object's value, as [Card.ReadObject] returns it, as the
// struct of its kind: *CHUID, *CCC, *KeyHistory and so on, *Opaque where the
// object has no known inside.
func Decode(tag Tag, value []byte) (any, error) {
	v, err := objectOf(tag).decode(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", objectOf(tag).Label, err)
	}
	return v, nil
}

// holdsKey tells whether Yubico's tools may have put the management key there.
func (o Object) holdsKey() bool { return o.Tag == TagPrinted }
