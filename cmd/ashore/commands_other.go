//go:build !linux

package main

// platformCommands: control plane and agent run on Linux only.
type platformCommands struct{}
