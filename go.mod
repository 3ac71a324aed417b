module cardbridge

go 1.26

<<<<<<< HEAD
require github.com/miekg/pkcs11 v1.1.2 // indirect
=======
require pgregory.net/rapid v1.3.0 // indirect
>>>>>>> session
