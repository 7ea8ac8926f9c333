package fleet

import (
	"fmt"
	"regexp"
)

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// CheckAccount says what is wrong with an account: clients take nothing but 12
// digits, and each ARN has it for good.
func CheckAccount(account string) error {
	if !accountID.MatchString(account) {
		return fmt.Errorf("the account must have 12 digits, not be %q", account)
	}
	return nil
}

// CheckRegion says what is wrong with a region: the SDKs put it into host names.
func CheckRegion(region string) error {
	if !regionName.MatchString(region) {
		return fmt.Errorf("the region must be 1 to 63 lower-case letters, digits and hyphens that begin with a letter and don't end with a hyphen, not %q", region)
	}
	return nil
}
