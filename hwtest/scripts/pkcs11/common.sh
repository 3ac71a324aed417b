# What all scripts here share. Each is run as `sh -eu script.sh` in a directory
# it may fill, and takes from the environment
#
#   MODULE   the PKCS #11 module, an absolute path
#   PIN      the user's PIN          (environment and not arguments: anyone may
#   SO_PIN   the SO's PIN             list the arguments of a process)
#
# On the card are an RSA-2048 key with CKA_ID 01 and EC P-256 keys with CKA_ID
# 02 (which wants the PIN for each signature) and 03, with certificates. A
# script that misses a program ends with 77 and says what to install.

set -eu
: "${MODULE:?}" "${PIN:?}"
export PIN

need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null || { echo "skipped: $1 is missing, install $2" >&2; exit 77; }
}

fail() { echo "failed: $*" >&2; exit 1; }

p11() { pkcs11-tool --module "$MODULE" "$@"; }

# The public key with a CKA_ID, as openssl reads it.
public_key() { # ID
	p11 --read-object --type pubkey --id "$1" --output-file "pub$1.der" >/dev/null 2>&1
	openssl pkey -pubin -inform DER -in "pub$1.der" -out "pub$1.pem"
}

# The certificate with a CKA_ID.
certificate() { # ID
	p11 --read-object --type cert --id "$1" --output-file "cert$1.der" >/dev/null 2>&1
	openssl x509 -inform DER -in "cert$1.der" -out "cert$1.pem"
}

# OpenSSL's engine for PKCS #11 modules, which is in the folder $engines.
need_engine() {
	engines=$(openssl version -e | cut -d'"' -f2)
	[ -e "$engines/pkcs11.so" ] || { echo "skipped: no engine, install libengine-pkcs11-openssl" >&2; exit 77; }
}

# For servers that use the module through OpenSSL's engine: openssl.cnf tells it
# which module that is, and the PIN.
engine_conf() {
	(umask 077; cat >openssl.cnf) <<END
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = card
[card]
engine_id = pkcs11
dynamic_path = $engines/pkcs11.so
MODULE_PATH = $MODULE
PIN = $PIN
init = 1
END
}

# Waits until a server listens. (The kernel's table is asked: a connection just
# to look would be the server's first.)
await_port() { # PORT
	for _ in $(seq 1000); do
		grep -q "$(printf ':%04X [0:]* 0A' "$1")" /proc/self/net/tcp /proc/self/net/tcp6 && return
		sleep 0.1
	done
	fail "nothing listens on port $1"
}

# A TLS server that demands a client certificate and answers every request with
# a page that tells whose it got. Its own certificate is server.pem.
tls_server() { # PORT TRUSTED [OPTION...]
	port=$1 trusted=$2
	shift 2
	[ -e server.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 2>/dev/null
	openssl s_server -accept 127.0.0.1:"$port" -key server.key -cert server.pem -www \
		-Verify 1 -verify_return_error -CAfile "$trusted" "$@" >server.log 2>&1 &
	server=$!
	trap 'kill $server 2>/dev/null; cat server.log' EXIT # where it is not ended below, something went wrong
	await_port "$port"
}

tls_server_ends() {
	kill $server
	wait $server 2>/dev/null || true
	trap - EXIT
}

request='GET / HTTP/1.0\r\n\r\n'

# Whether the page the server answered with shows this certificate (DER).
named() { # PAGE CERTIFICATE
	sed -n '/BEGIN CERT/,/END CERT/p' "$1" | openssl x509 -outform DER 2>/dev/null | cmp -s - "$2"
}

echo "the text to be signed" >text
