# nginx, which forks: several workers make TLS handshakes with a key on the card.
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
PIN = $PIN
init = 0
EOF
mkdir -p logs
cat >nginx.conf <<EOF
env CARDBRIDGE_READERS;
env OPENSSL_CONF=$PWD/openssl.cnf;
user $(id -un);
worker_processes 3;
daemon on;
pid $PWD/nginx.pid;
error_log $PWD/logs/error.log;
ssl_engine pkcs11;
events { }
http {
	access_log off;
	client_body_temp_path $PWD/tmp;
	proxy_temp_path $PWD/tmp;
	fastcgi_temp_path $PWD/tmp;
	uwsgi_temp_path $PWD/tmp;
	scgi_temp_path $PWD/tmp;
	server {
		listen 127.0.0.1:$TLS_PORT ssl;
		ssl_certificate $PWD/bob.pem;
		ssl_certificate_key "engine:pkcs11:pkcs11:id=%03;type=private";
		ssl_session_cache off;
		ssl_session_tickets off;
		location / { return 200 "worker \$pid\\n"; }
	}
}
EOF
OPENSSL_CONF="$PWD/openssl.cnf" nginx -p "$PWD" -c nginx.conf -e logs/error.log
trap 'kill $(cat nginx.pid)' EXIT
sleep 0.5
for i in $(seq 30); do
	curl --silent --show-error --cacert bob.pem --resolve "localhost:$TLS_PORT:127.0.0.1" "https://localhost:$TLS_PORT/" || { cat logs/error.log; exit 1; }
done | sort | uniq -c | tee workers
test "$(awk '{n += $1} END {print n}' workers)" = 30
