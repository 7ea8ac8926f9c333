package coverage

var accountFields = map[string][]Field{
	"PutAccountSetting":        effective("name", "value", "principalArn"),
	"PutAccountSettingDefault": effective("name", "value"),
	"DeleteAccountSetting":     effective("name", "principalArn"),
	"ListAccountSettings":      effective("name", "value", "principalArn", "effectiveSettings", "maxResults", "nextToken"),
	"TagResource":              effective("resourceArn", "tags"),
	"UntagResource":            effective("resourceArn", "tagKeys"),
	"ListTagsForResource":      effective("resourceArn"),
}
