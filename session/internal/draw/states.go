package main

import (
	"fmt"
	"slices"

	"cardbridge/session"
)

// Measures of a state diagram: boxes in a column, sessions come in from the left and go out to the right.
const (
	boxX, boxW, boxH = 190, 430, 92
	firstY, stepY    = 84, 170
)

// order is from top to bottom: figure 4 has the public state between the two others.
var order = map[session.Login]int{session.SO: 0, session.Public: 1, session.User: 2}

var classes = map[session.Login]string{session.Public: "public", session.User: "user", session.SO: "so"}

// states draws figure 3 or figure 4.
func states(readWrite bool) (string, error) {
	var column []session.State
	for _, s := range session.States() {
		if s.ReadWrite() == readWrite {
			column = append(column, s)
		}
	}
	slices.SortFunc(column, func(a, b session.State) int { return order[a.Login()] - order[b.Login()] })
	title := "Read-only session states"
	if readWrite {
		title = "Read/write session states"
	}
	c := newCanvas(860, firstY+stepY*(len(column)-1)+boxH+34, title)
	c.text("title", 28, 36, title)
	c.text("sub", 28, 56, "All sessions of one application with one token change together. Events without an arrow are refused, as the box says.")
	for i, s := range column {
		if err := drawState(c, column, i, s); err != nil {
			return "", err
		}
	}
	return c.done(), nil
}

func drawState(c *canvas, column []session.State, i int, s session.State) error {
	y := firstY + i*stepY
	c.rect("box "+classes[s.Login()], boxX, y, boxW, boxH, 12)
	c.text("name mid", boxX+boxW/2, y+30, s.String())
	if o := session.Opening(s.Login(), s.ReadWrite()); o.Refused == session.CKR_OK && o.Next == s {
		c.start(40, y+boxH/2)
		c.arrow("M46 %d H%d", y+boxH/2, boxX-2)
		c.text("label", 56, y+boxH/2-10, "Open Session")
		c.text("sub", 56, y+boxH/2+18, opens[s.Login()])
	}
	var ended []string
	line := y + 52
	for _, e := range session.Events() {
		o := session.Transition(s, e)
		switch {
		case o.Closed:
			ended = append(ended, e.String())
		case o.Refused != session.CKR_OK:
			c.text("code mid", boxX+boxW/2, line, fmt.Sprintf("%s: %s", e, o.Refused.Name()))
			line += 16
		default:
			if err := drawMove(c, i, slices.Index(column, o.Next), e); err != nil {
				return fmt.Errorf("%v, %v: %w", s, e, err)
			}
		}
	}
	if len(ended) > 0 {
		c.arrow("M%d %d H%d", boxX+boxW, y+boxH/2, 790)
		c.end(800, y+boxH/2)
		c.text("label", boxX+boxW+14, y+boxH/2-10, ended[0])
		for i, e := range ended[1:] {
			c.text("label", boxX+boxW+14, y+boxH/2+20+16*i, e)
		}
	}
	return nil
}

// opens says when a session is born into such a state.
var opens = map[session.Login]string{
	session.Public: "nobody logged in", session.User: "user logged in", session.SO: "SO logged in",
}

// drawMove draws an arrow between neighbours: down on the left, up on the right.
func drawMove(c *canvas, from, to int, e session.Event) error {
	top, bottom := firstY+min(from, to)*stepY+boxH, firstY+max(from, to)*stepY
	middle := (top+bottom)/2 + 4
	switch to - from {
	case 1:
		c.arrow("M%d %d V%d", boxX+boxW/2-70, top, bottom-2)
		c.text("label end", boxX+boxW/2-80, middle, e.String())
	case -1:
		c.arrow("M%d %d V%d", boxX+boxW/2+70, bottom, top+2)
		c.text("label", boxX+boxW/2+80, middle, e.String())
	default:
		return fmt.Errorf("there is no place for an arrow from state %d to state %d of the picture", from, to)
	}
	return nil
}
