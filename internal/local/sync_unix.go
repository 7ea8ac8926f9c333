//go:build unix

package local

func ignoreUnsupported(err error) error { return err }
