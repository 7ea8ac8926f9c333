//go:build !linux

package main

// platformCommands is empty: control plane and agent run on Linux only.
type platformCommands struct{}
