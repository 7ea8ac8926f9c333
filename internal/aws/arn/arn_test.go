package arn

import "testing"

func TestParse(t *testing.T) {
	for _, x := range []struct {
		text string
		want ARN
		typ  string
		sep  byte
		id   string
	}{
		{"arn:aws:ecs:us-east-1:000000000000:task/c/abc", ARN{"aws", "ecs", "us-east-1", "000000000000", "task/c/abc"}, "task", '/', "c/abc"},
		{"arn:aws:logs:eu-west-1:1:log-group:/ecs/web:*", ARN{"aws", "logs", "eu-west-1", "1", "log-group:/ecs/web:*"}, "log-group", ':', "/ecs/web:*"},
		{"arn:aws:secretsmanager:us-east-1:1:secret:a/b-AbCdEf", ARN{"aws", "secretsmanager", "us-east-1", "1", "secret:a/b-AbCdEf"}, "secret", ':', "a/b-AbCdEf"},
		{"arn:aws:ssm:us-east-1:1:parameter/a/b", ARN{"aws", "ssm", "us-east-1", "1", "parameter/a/b"}, "parameter", '/', "a/b"},
		{"arn:aws:iam::1:user/host/h", ARN{"aws", "iam", "", "1", "user/host/h"}, "user", '/', "host/h"},
		{"arn:aws:iam::1:root", ARN{"aws", "iam", "", "1", "root"}, "", 0, "root"},
		{"arn:aws:sqs:us-east-1:1:queue", ARN{"aws", "sqs", "us-east-1", "1", "queue"}, "", 0, "queue"},
		{"arn:aws:s3:::bucket/key:1", ARN{"aws", "s3", "", "", "bucket/key:1"}, "bucket", '/', "key:1"},
		{"arn:aws-cn:elasticloadbalancing:cn-north-1:1:loadbalancer/app/a/1", ARN{"aws-cn", "elasticloadbalancing", "cn-north-1", "1", "loadbalancer/app/a/1"}, "loadbalancer", '/', "app/a/1"},
	} {
		a, err := Parse(x.text)
		if err != nil || a != x.want || a.String() != x.text || !Is(x.text) {
			t.Errorf("%s: %+v, %v, %s", x.text, a, err, a)
		}
		if typ, sep, id := a.Cut(); typ != x.typ || sep != x.sep || id != x.id {
			t.Errorf("%s: %q %q %q", x.text, typ, sep, id)
		}
	}
	for _, bad := range []string{"", "arn", "arn:", "*", "c", "arn:aws:ecs:us-east-1:1", "arn:aws:ecs:us-east-1:1:", "arn::ecs:us-east-1:1:cluster/c", "arn:aws::us-east-1:1:cluster/c", "Arn:aws:ecs:us-east-1:1:cluster/c"} {
		if a, err := Parse(bad); err == nil {
			t.Errorf("%q is %+v", bad, a)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse("arn:aws:ecs:us-east-1:000000000000:task/c/abc"); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A parsed ARN is written with the same text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"arn:aws:ecs:us-east-1:1:cluster/c", "arn:aws:s3:::b", "arn:::::", "arn:a:b::::::", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err == nil && a.String() != s {
			t.Errorf("%q is written %q", s, a)
		}
	})
}
