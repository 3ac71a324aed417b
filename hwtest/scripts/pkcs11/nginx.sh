# nginx: several worker processes make TLS handshakes with the key on the card.
# nginx loads the engine before it forks its workers.
. "$(dirname "$0")/common.sh"
nginx=$(command -v nginx || echo /usr/sbin/nginx)
[ -x "$nginx" ] || need nginx nginx
need openssl openssl
need pkcs11-tool opensc
need_engine
PORT=${PORT:-4436} WORKERS=${WORKERS:-4} HANDSHAKES=${HANDSHAKES:-40}

engine_conf
certificate 01
certificate 03
mkdir -p tmp
cat >nginx.conf <<END
daemon off;
master_process on;
worker_processes $WORKERS;
user $(id -un);
pid $PWD/nginx.pid;
error_log $PWD/error.log info;
env OPENSSL_CONF;
env CARDBRIDGE_READERS;
ssl_engine pkcs11;
events { worker_connections 64; accept_mutex on; }
http {
	access_log $PWD/access.log;
	client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
	server {
		listen 127.0.0.1:$PORT ssl reuseport;
		ssl_certificate $PWD/cert01.pem;
		ssl_certificate_key "engine:pkcs11:pkcs11:id=%01;type=private";
		ssl_certificate $PWD/cert03.pem;
		ssl_certificate_key "engine:pkcs11:pkcs11:id=%03;type=private";
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache off;
		ssl_session_tickets off;
		location / { return 200 "\$pid \$ssl_protocol \$ssl_cipher\n"; }
	}
}
END
OPENSSL_CONF=$PWD/openssl.cnf "$nginx" -p "$PWD" -c "$PWD/nginx.conf" -e "$PWD/error.log" &
master=$!
trap 'kill $master 2>/dev/null; wait $master 2>/dev/null || true' EXIT
await_port "$PORT"

cat cert01.pem cert03.pem >servers.pem
good=0
for i in $(seq "$HANDSHAKES"); do
	case $((i % 4)) in
	0) options="-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256" ;;
	1) options="-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256" ;;
	2) options="-tls1_3 -sigalgs ecdsa_secp256r1_sha256" ;;
	3) options="-tls1_3 -sigalgs rsa_pss_rsae_sha256" ;;
	esac
	printf 'GET / HTTP/1.0\r\n\r\n' | timeout 100 openssl s_client -quiet -connect 127.0.0.1:"$PORT" -CAfile servers.pem \
		-verify_return_error $options >answer.$i 2>client.log || true
	grep -q '^[0-9]* TLSv1' answer.$i || { cat client.log error.log; fail "handshake $i ($options)"; }
	good=$((good + 1))
done
workers=$(cat answer.* | tr -d '\r' | sed -n 's/^\([0-9][0-9]*\) TLSv1.*/\1/p' | sort -u | wc -l)
echo "$good handshakes by $workers workers"
[ "$workers" -gt 1 ] || fail "only one worker made handshakes"
if grep -E '\[(alert|crit|emerg)\]' error.log; then fail "nginx complains"; fi
