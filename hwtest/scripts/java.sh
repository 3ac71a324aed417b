# Java's SunPKCS11: keytool and jarsigner, and a TLS client.
. "$SCRIPTS/prepare.sh"
cat >pkcs11.cfg <<EOF
name = cardbridge
library = $MODULE
EOF
java="-providerClass sun.security.pkcs11.SunPKCS11 -providerArg pkcs11.cfg"
keytool -list -storetype PKCS11 -storepass "$PIN" $java | tee list
grep -q 'PrivateKeyEntry' list
echo "hello" >hello.txt
jar cf hello.jar hello.txt
for alias in "X.509 Certificate for PIV Authentication" "X.509 Certificate for Key Management"; do
	jarsigner -storetype PKCS11 -storepass "$PIN" $java -signedjar signed.jar hello.jar "$alias"
	jarsigner -verify signed.jar | grep 'jar verified'
done

openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -subj /CN=localhost -addext subjectAltName=DNS:localhost -out server.pem 2>log
keytool -importcert -noprompt -file server.pem -alias server -keystore trust.p12 -storetype PKCS12 -storepass changeit 2>log
cat alice.pem bob.pem >both.pem
openssl s_server -accept "127.0.0.1:$TLS_PORT" -cert server.pem -key server.key -CAfile both.pem -Verify 1 -www -quiet >server.log 2>&1 &
server=$!
trap 'kill $server' EXIT
cp "$SCRIPTS/Get.java" .
java -Djavax.net.ssl.trustStore=trust.p12 -Djavax.net.ssl.trustStorePassword=changeit Get.java pkcs11.cfg "$PIN" "https://localhost:$TLS_PORT/" >page
grep -q 'Ciphers supported' page
grep -E 'CN = (Alice|Bob)' server.log
