package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages",
		Long:    "Write a man page for each command into a directory.",
		Example: "  cardtool man ~/.local/share/man/man1",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, argv []string) error {
			if err := os.MkdirAll(argv[0], 0o755); err != nil {
				return err
			}
			header := &doc.GenManHeader{Title: "CARDTOOL", Section: "1", Source: "cardbridge " + versionText(), Manual: "cardtool"}
			if err := doc.GenManTree(cmd.Root(), header, argv[0]); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(argv[0], "cardtool*.1"))
			if err != nil {
				return err
			}
			a.message("%s in %s", plural(len(pages), "man page"), argv[0])
			return nil
		},
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
