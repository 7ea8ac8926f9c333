package frontdoor

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func now() time.Time { return time.Now() }

// A call that isn't served is refused in the client's protocol, with a status and a
// code that no SDK retries. Only callers with a key get this answer.
func TestNotServed(t *testing.T) {
	d := open(t)
	for _, tc := range []struct {
		name, service, method, path, body string
		headers                           []string
		contentType                       string
		status, unsigned                  int
		want, wantUnsigned                string
	}{
		{"json 1.1", "ssm", "POST", "/", "{}", []string{"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AmazonSSM.GetParameter"},
			"application/x-amz-json-1.1", 400, 400,
			`{"__type":"UnsupportedOperationException","message":"The service ssm is not served by this installation (operation: GetParameter). Served are: ecs."}`,
			`"__type":"MissingAuthenticationTokenException"`},
		{"json 1.0", "dynamodb", "POST", "/", "{}", []string{"Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "DynamoDB_20120810.ListTables"},
			"application/x-amz-json-1.0", 400, 400, `The service dynamodb is not served by this installation (operation: ListTables)`, `"__type":"MissingAuthenticationTokenException"`},
		{"query", "sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
			"text/xml", 400, 403, "<ErrorResponse><Error><Type>Sender</Type><Code>UnsupportedOperation</Code><Message>The service sts is not served by this installation (operation: GetCallerIdentity).",
			"<Code>MissingAuthenticationToken</Code>"},
		{"query by GET", "sns", "GET", "/?Action=ListTopics&Version=2010-03-31", "", nil,
			"text/xml", 400, 403, "The service sns is not served by this installation (operation: ListTopics)", "<Code>MissingAuthenticationToken</Code>"},
		{"ec2", "ec2", "POST", "/", "Action=DescribeInstances&Version=2016-11-15", []string{"Content-Type", "application/x-www-form-urlencoded"},
			"text/xml", 400, 403, "<Response><Errors><Error><Code>UnsupportedOperation</Code><Message>The service ec2 is not served by this installation (operation: DescribeInstances).",
			"<Response><Errors><Error><Code>MissingAuthenticationToken</Code>"},
		{"s3", "s3", "GET", "/bucket/a%20key?list-type=2", "", []string{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"},
			"text/xml", 400, 403, "<Error><Code>UnsupportedOperation</Code><Message>The service s3 is not served by this installation (operation: GET /bucket/a key).",
			"<Error><Code>AccessDenied</Code>"},
		{"rest-xml", "route53", "GET", "/2013-04-01/hostedzone", "", nil,
			"text/xml", 400, 403, "<ErrorResponse><Error><Type>Sender</Type><Code>UnsupportedOperation</Code><Message>The service route53", `Missing Authentication Token`},
		{"rest-json", "lambda", "GET", "/2015-03-31/functions/", "", nil,
			"application/json", 400, 403, `{"message":"The service lambda is not served by this installation (operation: GET /2015-03-31/functions/). Served are: ecs."}`,
			`{"message":"Missing Authentication Token"}`},
		{"cbor", "cloudwatch", "POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "\xa0", []string{"Smithy-Protocol", "rpc-v2-cbor", "Content-Type", "application/cbor"},
			"application/cbor", 400, 400, "The service cloudwatch is not served by this installation (operation: PutMetricData)", "MissingAuthenticationTokenException"},
		{"ecs by another name", "ecs", "POST", "/", "{}", []string{"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "Other.ListTasks"},
			"application/x-amz-json-1.1", 400, 400, `"UnknownOperationException","message":"The request names no operation of ecs, but \"ListTasks\": its X-Amz-Target must be \"AmazonEC2ContainerServiceV20141113.\" and the operation's name."`, `"__type":"MissingAuthenticationTokenException"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := d.do(t, d.signed(t, tc.service, tc.method, tc.path, tc.body, tc.headers...))
			if res.StatusCode != tc.status || !strings.Contains(body, tc.want) || res.Header.Get("Content-Type") != tc.contentType {
				t.Errorf("%d %s %s", res.StatusCode, res.Header.Get("Content-Type"), body)
			}
			wellFormed(t, res, body)
			res, body = d.do(t, d.unsigned(t, tc.method, tc.path, tc.body, tc.headers...))
			if res.StatusCode != tc.unsigned || !strings.Contains(body, tc.wantUnsigned) || strings.Contains(body, "not served") {
				t.Errorf("unsigned: %d %s", res.StatusCode, body)
			}
			wellFormed(t, res, body)
		})
	}
}

func wellFormed(t *testing.T, res *http.Response, body string) {
	t.Helper()
	if res.Header.Get("Content-Type") != "text/xml" {
		return
	}
	if !strings.Contains(body, res.Header.Get("X-Amzn-Requestid")) {
		t.Errorf("no request id in %s", body)
	}
	dec := xml.NewDecoder(strings.NewReader(body))
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%v in %s", err, body)
			return
		}
	}
}
