package fleet

import (
	"strings"
	"testing"
)

func TestSites(t *testing.T) {
	for account, ok := range map[string]bool{"000000000000": true, "123456789012": true,
		"": false, "abc": false, "12345678901": false, "1234567890123": false, "12345678901a": false, "123456789012\n": false, "１２３４５６７８９０１２": false} {
		if err := CheckAccount(account); (err == nil) != ok {
			t.Errorf("%q: %v", account, err)
		}
	}
	for region, ok := range map[string]bool{"us-east-1": true, "eu-isoe-west-1": true, "home": true, "x": true, strings.Repeat("a", 63): true,
		"": false, "US-EAST-1": false, "us east": false, "-us": false, "us-": false, "1us": false, "us/east": false, "us.east": false, "us$(id)": false, strings.Repeat("a", 64): false} {
		if err := CheckRegion(region); (err == nil) != ok {
			t.Errorf("%q: %v", region, err)
		}
	}
}
