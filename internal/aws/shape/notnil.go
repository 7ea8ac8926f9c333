package shape

// NotNil returns an empty list for nil. AWS answers [] for an empty list, and not every
// client accepts null.
func NotNil[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}
