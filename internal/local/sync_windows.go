package local

// ignoreUnsupported: Windows can't sync a folder, and keeps names itself.
func ignoreUnsupported(error) error { return nil }
