# OpenVPN: the names under which a client's configuration picks a key. (It asks for
# the PIN on a terminal or by its management interface.)
. "$(dirname "$0")/common.sh"
openvpn=$(command -v openvpn || echo /usr/sbin/openvpn)
[ -x "$openvpn" ] || need openvpn openvpn

"$openvpn" --show-pkcs11-ids "$MODULE" | tee ids
for id in 01 02 03; do
	key=$(sed -n "s|.*Serialized id: *\(.*/$id\)\$|\1|p" ids)
	[ -n "$key" ] || fail "no name for key $id"
	printf 'pkcs11-providers %s\npkcs11-id %s\n' "$MODULE" "'$key'" >"client$id.conf"
done
