# stunnel: TLS put before any program, with the key on the card.
. "$(dirname "$0")/common.sh"
stunnel=$(command -v stunnel || echo /usr/bin/stunnel4)
[ -x "$stunnel" ] || need stunnel stunnel4
need openssl openssl
need pkcs11-tool opensc
need_engine
PORT=${PORT:-4438}

certificate 01
(umask 077; cat >stunnel.conf) <<END
foreground = yes
pid =
engine = pkcs11
engineCtrl = MODULE_PATH:$MODULE
engineCtrl = PIN:$PIN
[hello]
accept = 127.0.0.1:$PORT
exec = /bin/echo
execArgs = echo behind stunnel
engineNum = 1
cert = $PWD/cert01.pem
key = pkcs11:id=%01;type=private
END
"$stunnel" "$PWD/stunnel.conf" 2>stunnel.log &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
await_port "$PORT"
for i in 1 2 3; do
	timeout 20 openssl s_client -quiet -connect 127.0.0.1:"$PORT" -CAfile cert01.pem -verify_return_error </dev/null >answer 2>client.log || true
	grep -q 'behind stunnel' answer || { cat client.log stunnel.log; fail "handshake $i"; }
done
