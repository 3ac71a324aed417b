package main

import (
	"strings"

	"cardbridge/session"
)

// columns are in the order of table 6.
var columns = []session.State{
	session.CKS_RO_PUBLIC_SESSION, session.CKS_RW_PUBLIC_SESSION,
	session.CKS_RO_USER_FUNCTIONS, session.CKS_RW_USER_FUNCTIONS, session.CKS_RW_SO_FUNCTIONS,
}

var shades = map[session.Access]string{session.NoAccess: "none", session.ReadOnly: "ro", session.ReadWrite: "rw"}

// access draws table 6.
func access() (string, error) {
	const left, top, w, h, gap = 220, 84, 112, 52, 4
	kinds := session.Kinds()
	c := newCanvas(left+len(columns)*w+28, top+48+len(kinds)*h+52, "Access of sessions to objects")
	c.text("title", 28, 36, "Access of sessions to objects")
	c.text("sub", 28, 56, "Creating and destroying count as writing. What a session may not read does not exist for it.")
	for i, s := range columns {
		c.rect("box "+classes[s.Login()], left+i*w+gap/2, top, w-gap, 40, 8)
		words := strings.Fields(s.String())
		c.text("head mid", left+i*w+w/2, top+25, words[0]+" "+words[1])
	}
	for j, k := range kinds {
		y := top + 48 + j*h
		c.text("head", 28, y+h/2+4, k.String())
		for i, s := range columns {
			a := session.AccessOf(k, s)
			c.rect(shades[a], left+i*w+gap/2, y+gap/2, w-gap, h-gap, 8)
			text := a.String()
			if a == session.NoAccess {
				text = "–"
			}
			c.text("cell", left+i*w+w/2, y+h/2+5, text)
		}
	}
	c.text("sub", 28, top+48+len(kinds)*h+28, "Session objects are visible to the application that made them, and to no other.")
	return c.done(), nil
}
