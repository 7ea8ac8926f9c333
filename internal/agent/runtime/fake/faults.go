package fake

import "sync"

// FailTries returns a Config.Fail for one operation that counts. fail gets the number of
// the call for the same subject, from 1 on, and its error is the call's.
func FailTries(op string, fail func(try int) error) func(op, subject string) error {
	var mu sync.Mutex
	calls := map[string]int{}
	return func(called, subject string) error {
		if called != op {
			return nil
		}
		mu.Lock()
		calls[subject]++
		try := calls[subject]
		mu.Unlock()
		return fail(try)
	}
}

// OnlyFirst fails the first call of an operation for each subject.
func OnlyFirst(op string, err error) func(*Config) {
	return func(c *Config) {
		c.Fail = FailTries(op, func(try int) error {
			if try == 1 {
				return err
			}
			return nil
		})
	}
}

// LostThenRefused lets the first call of an operation for each subject take effect, loses
// its answer, and fails all further ones.
func LostThenRefused(op string, err error) func(*Config) {
	return func(c *Config) {
		c.Lost = func(called, _ string) bool { return called == op }
		c.Fail = FailTries(op, func(try int) error {
			if try > 1 {
				return err
			}
			return nil
		})
	}
}

// ClearFaults ends all faults and a hang.
func (f *Fake) ClearFaults() {
	f.Resume()
	f.Set(func(c *Config) { c.Lost, c.Fail, c.DropEvent = nil, nil, nil })
}
