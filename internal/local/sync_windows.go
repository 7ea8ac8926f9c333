package local

// ignoreUnsupported returns nil: Windows can't sync a folder, and makes names durable
// itself.
func ignoreUnsupported(error) error { return nil }
