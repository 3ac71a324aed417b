package softcard

// maxCommandData bounds a command's data, chained parts together: the largest object and the largest imported key fit.
const maxCommandData = 8192

// An apdu is a command as the card sees it, ISO 7816-4 §5.1.
type apdu struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               int // bytes wanted: 0 where the command had no Le field
	extended         bool
}

const (
	shortLe    = 256
	extendedLe = 65536
)

// parseAPDU takes a command apart. A length of 00 (00 00) in the Le field asks for all there can be; so does a lone Lc of
// nought, which is what the five bytes CLA INS P1 P2 00 are.
func parseAPDU(b []byte) (apdu, bool) {
	if len(b) < 4 {
		return apdu{}, false
	}
	c := apdu{cla: b[0], ins: b[1], p1: b[2], p2: b[3]}
	body := b[4:]
	switch {
	case len(body) == 0: // case 1
		return c, true
	case len(body) == 1: // case 2, short
		c.le = orAll(int(body[0]), shortLe)
		return c, true
	case body[0] != 0: // cases 3 and 4, short
		n := int(body[0])
		switch len(body) {
		case 1 + n:
		case 2 + n:
			c.le = orAll(int(body[1+n]), shortLe)
		default:
			return c, false
		}
		c.data = body[1 : 1+n]
		return c, true
	}
	c.extended = true
	if len(body) < 3 {
		return c, false
	}
	n := int(body[1])<<8 | int(body[2])
	switch len(body) {
	case 3: // case 2, extended
		c.le = orAll(n, extendedLe)
		return c, true
	case 3 + n:
	case 5 + n:
		c.le = orAll(int(body[3+n])<<8|int(body[4+n]), extendedLe)
	default:
		return c, false
	}
	if n == 0 {
		return c, false
	}
	c.data = body[3 : 3+n]
	return c, true
}

func orAll(n, all int) int {
	if n == 0 {
		return all
	}
	return n
}

// answer is data with a status word behind it.
func answer(data []byte, sw uint16) []byte {
	out := make([]byte, 0, len(data)+2)
	out = append(out, data...)
	return append(out, byte(sw>>8), byte(sw))
}
