module cardbridge

go 1.26

require github.com/miekg/pkcs11 v1.1.2
