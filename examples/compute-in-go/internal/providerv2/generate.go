// Package providerv2 holds the stubs of nomos.provider.v2, made from the
// published provider.proto. They are committed, so that a build needs no protoc.
package providerv2

// To make them again, install protoc and its two Go plugins:
//
//	go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6
//	go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
//
// The M option gives the generated files their place in this module.

//go:generate protoc -I ../../../../proto --go_out=. --go_opt=Mnomos/provider/v2/provider.proto=./;providerv2 --go-grpc_out=. --go-grpc_opt=Mnomos/provider/v2/provider.proto=./;providerv2 nomos/provider/v2/provider.proto
