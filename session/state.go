package session

// State is CK_STATE, one of the five states a session can be in (sections 6.6.1 and 6.6.2; S7, S8).
type State uint

// The states, under the standard's numbers.
const (
	CKS_RO_PUBLIC_SESSION State = iota
	CKS_RO_USER_FUNCTIONS
	CKS_RW_PUBLIC_SESSION
	CKS_RW_USER_FUNCTIONS
	CKS_RW_SO_FUNCTIONS

	numStates = iota
)

// Event is what makes a session change its state (section 6.6.4, table 7; S18).
type Event uint

// The events of table 7.
const (
	LogInSO Event = iota
	LogInUser
	LogOut
	CloseSession
	DeviceRemoved

	numEvents = iota
)

// Login is who an application is logged in as at a token. It is kept once for an application and a token, never in a
// session: that is why all sessions change together (S10).
type Login uint

// What a login can be.
const (
	Public Login = iota // nobody
	User
	SO

	numLogins = iota
)

// Kind of a session as it was opened (S2).
const (
	readOnly = iota
	readWrite

	numModes = iota
)

// Outcome is one cell of the state table: the state an event leads to, or the code that refuses it, or the session's end.
type Outcome struct {
	Next    State
	Refused RV // CKR_OK where the event is allowed
	Closed  bool
}

func to(s State) Outcome   { return Outcome{Next: s} }
func refuse(rv RV) Outcome { return Outcome{Refused: rv} }
func closed() Outcome      { return Outcome{Closed: true} }

// transitions are figures 3 and 4 of section 6.6, an arrow a cell, with the refusals of S11 and S12 where the figures
// have no arrow. The usage guide of 3.2 leaves the two codes of S11 to modules of earlier versions; nothing took their place,
// and callers know them, so they stay.
var transitions = [numStates][numEvents]Outcome{
	// R/O Public Session
	CKS_RO_PUBLIC_SESSION: {
		LogInSO:       refuse(CKR_SESSION_READ_ONLY_EXISTS), // S7: there is no R/O SO state, S11
		LogInUser:     to(CKS_RO_USER_FUNCTIONS),
		LogOut:        refuse(CKR_USER_NOT_LOGGED_IN),
		CloseSession:  closed(),
		DeviceRemoved: closed(),
	},
	// R/O User Functions
	CKS_RO_USER_FUNCTIONS: {
		LogInSO:       refuse(CKR_USER_ANOTHER_ALREADY_LOGGED_IN), // S12
		LogInUser:     refuse(CKR_USER_ALREADY_LOGGED_IN),
		LogOut:        to(CKS_RO_PUBLIC_SESSION),
		CloseSession:  closed(),
		DeviceRemoved: closed(),
	},
	// R/W Public Session
	CKS_RW_PUBLIC_SESSION: {
		LogInSO:       to(CKS_RW_SO_FUNCTIONS),
		LogInUser:     to(CKS_RW_USER_FUNCTIONS),
		LogOut:        refuse(CKR_USER_NOT_LOGGED_IN),
		CloseSession:  closed(),
		DeviceRemoved: closed(),
	},
	// R/W User Functions
	CKS_RW_USER_FUNCTIONS: {
		LogInSO:       refuse(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
		LogInUser:     refuse(CKR_USER_ALREADY_LOGGED_IN),
		LogOut:        to(CKS_RW_PUBLIC_SESSION),
		CloseSession:  closed(),
		DeviceRemoved: closed(),
	},
	// R/W SO Functions
	CKS_RW_SO_FUNCTIONS: {
		LogInSO:       refuse(CKR_USER_ALREADY_LOGGED_IN),
		LogInUser:     refuse(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
		LogOut:        to(CKS_RW_PUBLIC_SESSION),
		CloseSession:  closed(),
		DeviceRemoved: closed(),
	},
}

// opening is the state a new session is born into (S9), by the application's login at the token and the kind of session.
var opening = [numLogins][numModes]Outcome{
	Public: {readOnly: to(CKS_RO_PUBLIC_SESSION), readWrite: to(CKS_RW_PUBLIC_SESSION)},
	User:   {readOnly: to(CKS_RO_USER_FUNCTIONS), readWrite: to(CKS_RW_USER_FUNCTIONS)},
	SO:     {readOnly: refuse(CKR_SESSION_READ_WRITE_SO_EXISTS), readWrite: to(CKS_RW_SO_FUNCTIONS)}, // S11
}

// states says of each state what it is: its name in the standard, whose login it shows, and whether it is R/W.
var states = [numStates]struct {
	Name  string
	Login Login
	Mode  int
}{
	CKS_RO_PUBLIC_SESSION: {"R/O Public Session", Public, readOnly},
	CKS_RO_USER_FUNCTIONS: {"R/O User Functions", User, readOnly},
	CKS_RW_PUBLIC_SESSION: {"R/W Public Session", Public, readWrite},
	CKS_RW_USER_FUNCTIONS: {"R/W User Functions", User, readWrite},
	CKS_RW_SO_FUNCTIONS:   {"R/W SO Functions", SO, readWrite},
}

var eventNames = [numEvents]string{
	LogInSO: "Log In SO", LogInUser: "Log In User", LogOut: "Log Out",
	CloseSession: "Close Session", DeviceRemoved: "Device Removed",
}

// String is the state's name in tables 4 and 5.
func (s State) String() string { return states[s].Name }

// ReadWrite tells whether sessions in this state are R/W.
func (s State) ReadWrite() bool { return states[s].Mode == readWrite }

// Login tells who is logged in in this state.
func (s State) Login() Login { return states[s].Login }

// String is the event's name in table 7.
func (e Event) String() string { return eventNames[e] }

// States lists the five states in the standard's order.
func States() []State {
	return []State{
		CKS_RO_PUBLIC_SESSION, CKS_RO_USER_FUNCTIONS,
		CKS_RW_PUBLIC_SESSION, CKS_RW_USER_FUNCTIONS, CKS_RW_SO_FUNCTIONS,
	}
}

// Events lists the five events in the standard's order.
func Events() []Event {
	return []Event{LogInSO, LogInUser, LogOut, CloseSession, DeviceRemoved}
}

// Transition is the cell of the state table for one state and one event.
func Transition(s State, e Event) Outcome { return transitions[s][e] }

// Opening is the state a new session takes up when the application is logged in as l, or the code that refuses it.
func Opening(l Login, readWriteSession bool) Outcome {
	if readWriteSession {
		return opening[l][readWrite]
	}
	return opening[l][readOnly]
}
