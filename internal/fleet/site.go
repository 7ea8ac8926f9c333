package fleet

import (
	"fmt"
	"regexp"
)

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// CheckAccount returns an error if an account is not 12 digits. Clients accept nothing
// else, and the account is part of each ARN for ever.
func CheckAccount(account string) error {
	if !accountID.MatchString(account) {
		return fmt.Errorf("the account must have 12 digits, not be %q", account)
	}
	return nil
}

// CheckRegion returns an error if a region is not valid. The SDKs put it into host
// names.
func CheckRegion(region string) error {
	if !regionName.MatchString(region) {
		return fmt.Errorf("the region must be 1 to 63 lower-case letters, digits and hyphens that begin with a letter and don't end with a hyphen, not %q", region)
	}
	return nil
}
