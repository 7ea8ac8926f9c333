package shape

// NotNil gives a list its empty form: AWS answers [] where it has nothing, and not
// every client takes null for that.
func NotNil[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}
