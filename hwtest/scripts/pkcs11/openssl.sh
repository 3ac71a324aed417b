# OpenSSL by way of libengine-pkcs11-openssl: signatures, a certificate request,
# and a TLS client whose key is on the card.
. "$(dirname "$0")/common.sh"
need openssl openssl
need pkcs11-tool opensc
need_engine
PORT=${PORT:-4433}

# The engine reads its module and the PIN from the configuration.
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
init = 0
[req]
distinguished_name = dn
[dn]
END
export OPENSSL_CONF=$PWD/openssl.cnf
# A signature, a request for a certificate, a decryption.
OPENSSL_CONF=/dev/null public_key 01
openssl dgst -engine pkcs11 -keyform engine -sha256 -sign 'pkcs11:id=%01;type=private' -out sig text
OPENSSL_CONF=/dev/null openssl dgst -sha256 -verify pub01.pem -signature sig text
openssl req -engine pkcs11 -keyform engine -new -key 'pkcs11:id=%03;type=private' -subj /CN=card -out request.pem
OPENSSL_CONF=/dev/null openssl req -verify -noout -in request.pem
openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret
openssl pkeyutl -engine pkcs11 -keyform engine -decrypt -inkey 'pkcs11:id=%01;type=private' -in secret -out plain
cmp plain text

key() { echo "pkcs11:id=%$1;type=private"; }

for id in 01 03; do
	OPENSSL_CONF=/dev/null public_key $id
	OPENSSL_CONF=/dev/null certificate $id
	openssl dgst -engine pkcs11 -keyform engine -sha256 -sign "$(key $id)" -out sig text
	OPENSSL_CONF=/dev/null openssl dgst -sha256 -verify pub$id.pem -signature sig text
done
openssl dgst -engine pkcs11 -keyform engine -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sign "$(key 01)" -out sig text
OPENSSL_CONF=/dev/null openssl dgst -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify pub01.pem -signature sig text

# TLS: the server wants a client certificate and says whose it got.
cat cert01.pem cert03.pem >clients.pem
OPENSSL_CONF=/dev/null tls_server "$PORT" clients.pem
for id in 01 03; do
	for version in tls1_2 tls1_3; do
		printf "$request" | openssl s_client -engine pkcs11 -quiet -connect 127.0.0.1:"$PORT" -CAfile server.pem -verify_return_error \
			-cert cert$id.pem -keyform engine -key "$(key $id)" -$version >page
		named page cert$id.der || fail "$version with key $id: the server saw no certificate"
		echo "$version with key $id"
	done
done
tls_server_ends
