module cardbridge

go 1.26
