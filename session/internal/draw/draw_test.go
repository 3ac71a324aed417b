package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The pictures in docs are what the tables say now.
func TestPicturesAreCurrent(t *testing.T) {
	for name, draw := range pictures {
		want, err := draw()
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not what the tables say: run go generate ./session", name)
		}
	}
}
