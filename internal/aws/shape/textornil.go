package shape

// TextOrNil returns nil for an empty text. AWS leaves out members that have none.
func TextOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
