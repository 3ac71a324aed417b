# curl, where it is built with OpenSSL: a TLS client whose key is on the card.
. "$(dirname "$0")/common.sh"
need curl curl
need openssl openssl
need pkcs11-tool opensc
curl --version | grep -q OpenSSL || { echo "skipped: this curl is not built with OpenSSL" >&2; exit 77; }
need_engine
PORT=${PORT:-4437}

for id in 01 03; do certificate $id; done
cat cert01.pem cert03.pem >clients.pem
tls_server "$PORT" clients.pem
# The engine reads the PIN from a file of the user's, named in the key's URI.
(umask 077; printf %s "$PIN" >pin)
for id in 01 03; do
	PKCS11_MODULE_PATH=$MODULE curl --silent --show-error --engine pkcs11 --key-type ENG \
		--key "pkcs11:id=%$id;type=private?pin-source=file:$PWD/pin" --cert cert$id.pem --cacert server.pem \
		https://localhost:"$PORT"/ >page || { cat server.log; fail "key $id"; }
	named page cert$id.der || { cat page server.log; fail "key $id: the server saw no certificate"; }
	echo "logged in with key $id"
done
tls_server_ends
