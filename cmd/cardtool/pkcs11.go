package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// moduleName is the PKCS #11 module's file.
const moduleName = "cardbridge-pkcs11.so"

// pkcs11Command is the group of commands about PKCS #11 modules. Those that
// load one need cgo: see pkcs11_module.go.
func (a *app) pkcs11Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pkcs11",
		Short: "Install the PKCS #11 module; look at any module",
		Long: `The PKCS #11 module lets other programs use cards: OpenSSH, OpenSSL, GnuTLS,
Firefox, Java. "install" tells p11-kit of it; the other commands look at any
module, by --module.`,
	}
	cmd.AddCommand(a.pkcs11InstallCommand())
	cmd.AddCommand(a.pkcs11ModuleCommands()...)
	return asGroup(cmd)
}

// modulePath is the module that is meant: the one that is named, else the one
// beside this program or where packages put libraries.
func modulePath(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	var looked []string
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		looked = append(looked, filepath.Join(dir, moduleName), filepath.Join(dir, "..", "lib", moduleName), filepath.Join(dir, "..", "lib", "pkcs11", moduleName))
	}
	for _, path := range looked {
		if _, err := os.Stat(path); err == nil {
			return filepath.Clean(path), nil
		}
	}
	return "", hinted{fmt.Errorf("no %s beside this program", moduleName), "name it with --module"}
}

// An installReport is what install did, in JSON.
type installReport struct {
	Module string      `json:"module"`         // the module's file
	File   string      `json:"file,omitempty"` // the file that p11-kit reads, if it was written
	Use    [][2]string `json:"use"`            // programs, and the line for each
}

func (a *app) pkcs11InstallCommand() *cobra.Command {
	var module string
	var remote, system, print bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Register the PKCS #11 module with p11-kit, and say how programs use it",
		Long: `Register the module with p11-kit, which all programs that use GnuTLS, and Firefox
on many systems, ask for modules. Then print the one line that other programs
need. With --remote the module runs in a process of its own.`,
		Example: "  cardtool pkcs11 install\n  cardtool pkcs11 install --remote --module /usr/lib/cardbridge-pkcs11.so",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			path, err := modulePath(module)
			if err != nil {
				return err
			}
			if _, err := os.Stat(path); err != nil {
				return inputError{err}
			}
			report := installReport{Module: path, Use: moduleUses(path)}
			if !print {
				if report.File, err = writeModuleFile(path, remote, system); err != nil {
					return err
				}
				if !system && os.Geteuid() == 0 {
					a.warn("p11-kit does not read root's own files; --system is for all users")
				}
			}
			return a.print(report, func(w io.Writer) {
				if report.File != "" {
					fmt.Fprintf(w, "p11-kit   %s\n", report.File)
				}
				for _, u := range report.Use {
					fmt.Fprintf(w, "%-9s %s\n", u[0], u[1])
				}
			})
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "the module's `file` (default: the one beside this program)")
	cmd.Flags().BoolVar(&remote, "remote", false, "run the module in a process of its own")
	cmd.Flags().BoolVar(&system, "system", false, "for all users, in /etc/pkcs11/modules")
	cmd.Flags().BoolVar(&print, "print", false, "only print the lines")
	return cmd
}

// writeModuleFile writes what p11-kit reads (pkcs11.conf(5)).
func writeModuleFile(path string, remote, system bool) (string, error) {
	dir := "/etc/pkcs11/modules"
	if !system {
		home, err := os.UserConfigDir()
		if err != nil {
			return "", hinted{err, "use --system, or --print"}
		}
		dir = filepath.Join(home, "pkcs11", "modules")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	text := "module: " + path + "\n"
	if remote {
		text = "remote: |p11-kit remote " + path + "\n"
	}
	file := filepath.Join(dir, "cardbridge.module")
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// moduleUses are the one line for each program that does not ask p11-kit.
func moduleUses(path string) [][2]string {
	return [][2]string{
		{"OpenSSH", "ssh-add -s " + path + "   # or in ~/.ssh/config: PKCS11Provider " + path},
		{"OpenSSL", "PKCS11_MODULE_PATH=" + path + " openssl dgst -engine pkcs11 -keyform engine -sign 'pkcs11:id=%01;type=private' ..."},
		{"NSS", "modutil -dbdir sql:$HOME/.pki/nssdb -add cardbridge -libfile " + path},
		{"Java", "keytool -list -storetype PKCS11 -addprovider SunPKCS11 -providerArg FILE   # FILE: name = cardbridge, library = " + path},
		{"git", "git config --global gpg.format ssh && ssh-keygen -D " + path + " | head -n 1 >key.pub && git config --global user.signingKey \"$PWD/key.pub\"   # with ssh-agent"},
	}
}
