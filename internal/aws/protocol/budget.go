package protocol

import "cmp"

const (
	// MaxDepth is how deep structures, lists and maps may nest.
	MaxDepth = 64
	// maxMemory bounds the memory of the lists, maps and structures of one document, in
	// bytes. An empty object in a list is a few bytes on the wire and hundreds in
	// memory.
	maxMemory = 64 << 20
	// holdStep is how many bytes are asked of Hold at once.
	holdStep = 64 << 10
)

// Within bounds the memory of a decoded document.
type Within struct {
	Memory int // bytes of lists, maps and structures; 0 means 64 MiB
	// Hold, if not nil, is called before the document occupies that many bytes in all.
	// It is called only once for each holdStep, and not for the first one, which most
	// documents never exceed. Its error ends the decoding.
	Hold func(bytes int) error
}

// A Budget counts the memory of a document.
type Budget struct {
	within Within
	spent  int
	held   int // bytes asked of Hold; spent is less
}

// NewBudget returns the budget of one document.
func NewBudget(within Within) Budget {
	within.Memory = cmp.Or(within.Memory, maxMemory)
	return Budget{within: within, held: holdStep}
}

// Spend counts n bytes against the budget.
func (b *Budget) Spend(n int) error {
	if b.spent += n; b.spent > b.within.Memory {
		return Errorf("the document has too many elements")
	}
	if b.within.Hold == nil || b.spent <= b.held {
		return nil
	}
	b.held = (b.spent/holdStep + 1) * holdStep
	return b.within.Hold(b.held)
}

// CheckDepth returns an error for a depth beyond MaxDepth.
func CheckDepth(depth int) error {
	if depth >= MaxDepth {
		return Errorf("nested more than %d deep", MaxDepth)
	}
	return nil
}
