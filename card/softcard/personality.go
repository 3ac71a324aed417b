package softcard

// A Personality is a kind of card that a state file can be created as.
type Personality struct {
	Name        string
	Description string
}

// Personalities lists them, the default first.
func Personalities() []Personality { return nil }

// DefaultPersonality is what a card is where nothing else is asked for.
const DefaultPersonality = "yubikey-5.7"
