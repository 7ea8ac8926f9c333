package conformance

var accountFieldCases = []fieldCase{
	{"PutAccountSetting: everything", `{"name": "containerInsights", "value": "enabled", "principalArn": "arn:aws:iam::000000000000:user/$name$"}`, ""},
	{"ListAccountSettings: everything", `{"name": "containerInsights", "value": "enabled", "principalArn": "arn:aws:iam::000000000000:user/$name$", "effectiveSettings": true, "maxResults": 1}`, ""},
	{"DeleteAccountSetting: everything", `{"name": "containerInsights", "principalArn": "arn:aws:iam::000000000000:user/$name$"}`, ""},
	{"PutAccountSettingDefault: everything", `{"name": "containerInsights", "value": "disabled"}`, ""},
	{"TagResource: everything", `{"resourceArn": "$instance$", "tags": [{"key": "k", "value": "v"}]}`, ""},
	{"ListTagsForResource: everything", `{"resourceArn": "$instance$"}`, ""},
	{"UntagResource: everything", `{"resourceArn": "$instance$", "tagKeys": ["k"]}`, ""},
}
