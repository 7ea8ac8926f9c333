package store

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ashore/ashore/internal/fleet"
)

var settings = Register[fleet.AccountSettings]("accountsettings/*")

// AccountSettingsChanged tells of the settings of a principal, or of the account's.
var AccountSettingsChanged = settings.Changed()

// AccountSettingsKey names the settings of a principal, by its ARN, or with ""
// the account's defaults.
func AccountSettingsKey(principal string) Key[fleet.AccountSettings] {
	return settings.Key(settingsName(principal))
}

// AccountSettings returns the settings of a principal, by its ARN, or with ""
// the account's defaults; nil where none were chosen.
func (s *Snapshot) AccountSettings(principal string) *fleet.AccountSettings {
	return settings.Get(s, settingsName(principal))
}

// settingsName stands for a principal in a key. It is older than escaped names, and
// installations have it.
func settingsName(principal string) string {
	if principal == "" {
		return "default"
	}
	sum := sha256.Sum256([]byte(principal))
	return hex.EncodeToString(sum[:])
}
