# NSS (Firefox, Chromium): the module in a database, keys and certificates, and a
# TLS client login.
. "$SCRIPTS/prepare.sh"
mkdir db
echo "" >empty
certutil -N -d sql:db -f empty
modutil -force -dbdir sql:db -add cardbridge -libfile "$MODULE"
modutil -dbdir sql:db -list cardbridge >module || : # complains of readers without a card
cat module
token=$(cat module | sed -n "s/^ *Token Name: //p" | sed "s/[[:space:]]*\$//" | head -1)
echo "$PIN" >pin
certutil -L -d sql:db -h "$token" -f pin | tee certs
grep -q 'PIV Authentication' certs
certutil -K -d sql:db -h "$token" -f pin | tee keys
grep -q 'ec ' keys && grep -q 'rsa ' keys

openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -subj /CN=localhost -addext subjectAltName=DNS:localhost -out server.pem 2>log
certutil -A -d sql:db -n server -t CT,, -i server.pem -f empty
openssl s_server -accept "127.0.0.1:$TLS_PORT" -cert server.pem -key server.key -CAfile alice.pem -Verify 1 -verify_return_error -www -quiet >server.log 2>&1 &
server=$!
trap 'kill $server' EXIT
sleep 0.5
nick="$token:X.509 Certificate for PIV Authentication"
# tstclnt may wait for more after the page; what counts is whom the server met.
(printf 'GET / HTTP/1.0\r\n\r\n'; sleep 1) | timeout 5 tstclnt -h localhost -p "$TLS_PORT" -d sql:db -n "$nick" -W pin -4 -o >page 2>client.log || :
grep 'CN = Alice' server.log || { cat client.log server.log; exit 1; }
