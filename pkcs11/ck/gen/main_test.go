package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is generated is what the tables say now.
func TestGeneratedIsCurrent(t *testing.T) {
	files, err := generate(".")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the tables say: run go generate ./pkcs11/ck", path)
		}
	}
}
