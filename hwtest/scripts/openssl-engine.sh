# OpenSSL through libengine-pkcs11-openssl: sign, decrypt, and a TLS client
# certificate on the card.
. "$SCRIPTS/prepare.sh"
cat >openssl.cnf <<EOF
openssl_conf = conf
[conf]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
MODULE_PATH = $MODULE
init = 0
EOF
export OPENSSL_CONF="$PWD/openssl.cnf"
echo "sign this" >data
for key in 01:alice 03:bob; do
	id=${key%:*} name=${key#*:}
	openssl dgst -engine pkcs11 -keyform engine -sign "pkcs11:id=%$id;type=private;pin-value=$PIN" -sha256 -out sig data
	openssl x509 -in $name.pem -pubkey -noout >pub.pem
	openssl dgst -sha256 -verify pub.pem -signature sig data
done
openssl pkeyutl -encrypt -pubin -inkey pub.pem -in data -out sealed
openssl pkeyutl -engine pkcs11 -keyform engine -inkey "pkcs11:id=%03;type=private;pin-value=$PIN" -decrypt -in sealed | cmp - data

openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -subj /CN=localhost -out server.pem 2>log
openssl s_server -accept "127.0.0.1:$TLS_PORT" -cert server.pem -key server.key -CAfile alice.pem -Verify 1 -verify_return_error -www -quiet >server.log 2>&1 &
server=$!
trap 'kill $server' EXIT
for try in 1 2 3 4 5 6 7 8 9 10; do
	sleep 0.2
	printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect "127.0.0.1:$TLS_PORT" -CAfile server.pem -engine pkcs11 -keyform engine \
		-key "pkcs11:id=%01;type=private;pin-value=$PIN" -cert alice.pem -ign_eof >client.log 2>&1 && break
done
grep 'subject=CN = Alice' client.log || grep 'CN = Alice' client.log
