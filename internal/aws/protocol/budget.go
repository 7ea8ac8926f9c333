package protocol

import "cmp"

const (
	// MaxDepth is how deep structures, lists and maps may nest.
	MaxDepth = 64
	// maxMemory bounds, in bytes, what lists, maps and structures of one document
	// occupy: a list of empty objects is a few bytes each on the wire and hundreds
	// each in memory.
	maxMemory = 64 << 20
	// holdStep is how many bytes Hold is asked for at once.
	holdStep = 64 << 10
)

// Within bounds the memory that a document may grow to.
type Within struct {
	Memory int // bytes of lists, maps and structures; 0: 64 MiB
	// Hold, if not nil, is asked before the document occupies so many bytes in all.
	// It is asked in steps, so seldom, and not for the first step, which most
	// documents stay within. Its error ends the decoding.
	Hold func(bytes int) error
}

// A Budget is the memory that a document may take.
type Budget struct {
	within Within
	spent  int
	held   int // what Hold was asked for; spent is less
}

// NewBudget is the budget of one document.
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

// CheckDepth refuses a depth that is too great.
func CheckDepth(depth int) error {
	if depth >= MaxDepth {
		return Errorf("nested more than %d deep", MaxDepth)
	}
	return nil
}
