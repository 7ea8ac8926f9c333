package store

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ashore/ashore/internal/fleet"
)

var settings = Register[fleet.AccountSettings]("accountsettings/*")

// AccountSettingsChanged is the kind of changes of a principal's settings, or of the
// account's.
var AccountSettingsChanged = settings.Changed()

// AccountSettingsKey names the settings of a principal, given by its ARN. For "" it
// names the account's defaults.
func AccountSettingsKey(principal string) Key[fleet.AccountSettings] {
	return settings.Key(settingsName(principal))
}

// AccountSettings returns the settings of a principal, given by its ARN. For "" it
// returns the account's defaults. It returns nil if there are none.
func (s *Snapshot) AccountSettings(principal string) *fleet.AccountSettings {
	return settings.Get(s, settingsName(principal))
}

// settingsName returns the name of a principal's settings in a key. It is older than
// escaped names, and stored states use it.
func settingsName(principal string) string {
	if principal == "" {
		return "default"
	}
	sum := sha256.Sum256([]byte(principal))
	return hex.EncodeToString(sum[:])
}
