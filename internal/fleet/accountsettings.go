package fleet

import "github.com/go-json-experiment/json/jsontext"

// AccountSettings are the values that a principal has chosen. With an empty Principal
// they are the account's defaults.
type AccountSettings struct {
	Principal string            `json:"principal,omitempty"` // ARN
	Values    map[string]string `json:"values"`

	Extra jsontext.Value `json:",embed"`
}
