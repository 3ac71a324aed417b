# NSS (Firefox, Chromium, Thunderbird): modutil adds the module to a database,
# certutil lists what it finds there, tstclnt logs in to a TLS server.
. "$(dirname "$0")/common.sh"
need modutil libnss3-tools
need certutil libnss3-tools
need tstclnt libnss3-tools
need openssl openssl
need pkcs11-tool opensc
PORT=${PORT:-4434}

mkdir -p db
certutil -N -d sql:db --empty-password
modutil -dbdir sql:db -force -add card -libfile "$MODULE"
# ("modutil -list card" tells more, but fails at readers without a card.)
modutil -dbdir sql:db -list >modules
sed -n '/ card$/,$p' modules >slots
grep -q 'status: loaded' slots || { cat modules; fail "not loaded"; }
token=${LABEL:-$(sed -n 's/^[[:space:]]*token: \(.*[^ ]\) *$/\1/p' slots | head -n 1)}
[ -n "$token" ] || { cat slots; fail "no token"; }
echo "token: $token"

(umask 077; echo "$PIN" >pin)
# -h all: the tokens as well as the database.
certutil -L -d sql:db -h "$token" -f pin >certificates
certutil -K -d sql:db -h "$token" -f pin >keys
cat certificates keys
[ "$(grep -c "^$token:" certificates)" -ge 3 ] || fail "not three certificates"
[ "$(grep -c '^<.*>' keys)" -ge 3 ] || fail "not three keys"

cat /dev/null >clients.pem
for id in 01 03; do certificate $id; cat cert$id.pem >>clients.pem; done
printf "$request" >request
tls_server "$PORT" clients.pem
certutil -A -d sql:db -n server -t CT,, -i server.pem
for id in 01 03; do
	# The nickname is "token:label"; the one whose certificate is ours.
	sed -n "s/^\($token:.*[^ ]\)  *u,u,u *\$/\1/p" certificates >nicknames
	nickname=
	while read -r name; do
		certutil -L -d sql:db -h "$token" -n "$name" -f pin -r 2>/dev/null >one.der || true
		if cmp -s one.der cert$id.der; then nickname=$name; fi
	done <nicknames
	[ -n "$nickname" ] || { cat nicknames; fail "no nickname for certificate $id"; }
	for version in tls1.2 tls1.3; do
		tstclnt -A request -d sql:db -h 127.0.0.1 -a localhost -p "$PORT" -n "$nickname" -W pin -V $version:$version >page
		named page cert$id.der || fail "$version with $nickname: the server saw no certificate"
		echo "$version with $nickname"
	done
done
tls_server_ends
