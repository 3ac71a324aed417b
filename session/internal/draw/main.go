// Command draw draws the state diagrams and the access matrix of package session, from the tables the package itself reads,
// into the directory it is given.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// pictures are the files, each with what draws it.
var pictures = map[string]func() (string, error){
	"sessions-read-only.svg":  func() (string, error) { return states(false) },
	"sessions-read-write.svg": func() (string, error) { return states(true) },
	"sessions-access.svg":     access,
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: draw DIRECTORY")
		os.Exit(2)
	}
	for name, draw := range pictures {
		svg, err := draw()
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), []byte(svg), 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "draw: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
