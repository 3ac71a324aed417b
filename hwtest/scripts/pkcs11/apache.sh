# Apache: mod_ssl with the key on the card, in processes forked anew when it is
# told to restart, and ended by signals.
. "$(dirname "$0")/common.sh"
apache=$(command -v apache2 || echo /usr/sbin/apache2)
[ -x "$apache" ] || need apache2 apache2-bin
need openssl openssl
need setsid util-linux
need pkcs11-tool opensc
need_engine
modules=$(dirname "$(ls /usr/lib/apache2/modules/mod_ssl.so /usr/lib*/httpd/modules/mod_ssl.so 2>/dev/null | head -n 1)")
PORT=${PORT:-4439}

for id in 01 03; do certificate $id; done
engine_conf
cat >apache.conf <<END
ServerRoot $PWD
DefaultRuntimeDir $PWD
PidFile $PWD/apache.pid
ErrorLog $PWD/error.log
ServerName localhost
Listen 127.0.0.1:$PORT
LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule ssl_module $modules/mod_ssl.so
StartServers 3
ErrorDocument 403 "behind Apache"
<Location />
	Require all denied
</Location>
SSLCryptoDevice pkcs11
SSLSessionCache none
<VirtualHost 127.0.0.1:$PORT>
	SSLEngine on
	SSLCertificateFile $PWD/cert01.pem
	SSLCertificateKeyFile "pkcs11:id=%01;type=private"
	SSLCertificateFile $PWD/cert03.pem
	SSLCertificateKeyFile "pkcs11:id=%03;type=private"
</VirtualHost>
END
[ "$(id -u)" -ne 0 ] || printf 'User www-data\nGroup www-data\n' >>apache.conf

# A session of its own: Apache signals its process group when it ends.
OPENSSL_CONF=$PWD/openssl.cnf setsid "$apache" -f "$PWD/apache.conf" -DFOREGROUND &
master=$!
trap 'kill $master 2>/dev/null; wait $master 2>/dev/null || true' EXIT
cat cert01.pem cert03.pem >servers.pem
handshakes() {
	for i in 1 2 3 4; do
		for cipher in ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-GCM-SHA256; do
			printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -quiet -connect 127.0.0.1:"$PORT" -CAfile servers.pem \
				-verify_return_error -tls1_2 -cipher $cipher >answer 2>client.log || true
			grep -q 'behind Apache' answer || { cat client.log error.log; fail "handshake $i, $cipher"; }
		done
	done
}
await_port "$PORT"
handshakes
kill -USR1 "$master" # restart, gracefully
for _ in $(seq 100); do
	[ "$(grep -c 'resuming normal operations' error.log)" -gt 1 ] && break
	sleep 0.1
done
handshakes
kill "$master"
wait "$master" 2>/dev/null || true
trap - EXIT
if grep -E 'exit signal|\[(\w*:)?(alert|crit|emerg)\]' error.log; then fail "Apache complains"; fi
