package frontdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ashore/ashore/internal/aws/model"
)

// These are shapes of EC2, written by hand as EC2's rooms will write them: the SDK has
// no schemas for them. Names follow the Go names unless a tag gives another: query in
// requests, xml in answers.
type (
	ec2Filter struct {
		Name   *string
		Values []string `query:"Value"`
	}
	ec2Tag struct {
		Key, Value *string
	}
	ec2TagSpecification struct {
		ResourceType string
		Tags         []ec2Tag `query:"Tag"`
	}
	ec2Range struct {
		CidrIp, Description *string
	}
	ec2Permission struct {
		IpProtocol       *string
		FromPort, ToPort *int32
		IpRanges         []ec2Range
	}
	ec2Group struct {
		GroupId, GroupName *string
	}
	ec2Attachment struct {
		AttachTime          *time.Time
		DeleteOnTermination *bool
		DeviceIndex         *int32
		Status              string
	}
	ec2Interface struct {
		NetworkInterfaceId, PrivateIpAddress *string
		Attachment                           *ec2Attachment
		Groups                               []ec2Group `xml:"groupSet"`
		SourceDestCheck                      *bool
		TagSet                               []ec2Tag
	}

	describeInterfacesInput struct {
		DryRun              *bool
		Filters             []ec2Filter `query:"Filter"`
		MaxResults          *int32
		NetworkInterfaceIds []string `query:"NetworkInterfaceId"`
		NextToken           *string
	}
	describeInterfacesOutput struct {
		NetworkInterfaces []ec2Interface `xml:"networkInterfaceSet"`
		NextToken         *string
	}
	createGroupInput struct {
		Description       *string `query:"GroupDescription"`
		GroupName, VpcId  *string
		TagSpecifications []ec2TagSpecification `query:"TagSpecification"`
	}
	createGroupOutput struct {
		GroupId *string
		Tags    []ec2Tag `xml:"tagSet"`
	}
	authorizeIngressInput struct {
		GroupId       *string
		IpPermissions []ec2Permission
	}
	authorizeIngressOutput struct {
		Return *bool
	}
	deleteGroupInput  struct{ GroupId *string }
	deleteGroupOutput struct{}
	importKeyInput    struct {
		KeyName           *string
		PublicKeyMaterial []byte
	}
	importKeyOutput struct {
		KeyFingerprint, KeyName *string
	}
	priceHistoryInput struct {
		EndTime, StartTime *time.Time
		InstanceTypes      []string `query:"InstanceType"`
	}
	priceHistoryOutput struct {
		NextToken *string
	}
)

// toyEC2 keeps the input of each call and answers with fixed outputs.
type toyEC2 struct {
	mu  sync.Mutex
	got any // the last input; guarded by mu
}

func (e *toyEC2) keep(in any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = in
}

// take returns the last input and forgets it.
func (e *toyEC2) take() any {
	e.mu.Lock()
	defer e.mu.Unlock()
	in := e.got
	e.got = nil
	return in
}

func (e *toyEC2) DescribeNetworkInterfaces(_ context.Context, in *describeInterfacesInput) (*describeInterfacesOutput, error) {
	e.keep(*in)
	at := time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	return &describeInterfacesOutput{NetworkInterfaces: []ec2Interface{{
		NetworkInterfaceId: aws.String("eni-1"), PrivateIpAddress: aws.String("10.0.0.7"), SourceDestCheck: aws.Bool(false),
		Attachment: &ec2Attachment{AttachTime: &at, DeleteOnTermination: aws.Bool(true), DeviceIndex: aws.Int32(0), Status: "attached"},
		Groups:     []ec2Group{{aws.String("sg-1"), aws.String("web & <more>")}, {aws.String("sg-2"), aws.String("db")}},
		TagSet:     []ec2Tag{{aws.String("Name"), aws.String("näme")}},
	}, {NetworkInterfaceId: aws.String("eni-2"), Groups: []ec2Group{}}}, NextToken: aws.String("next")}, nil
}

func (e *toyEC2) CreateSecurityGroup(_ context.Context, in *createGroupInput) (*createGroupOutput, error) {
	e.keep(*in)
	return &createGroupOutput{GroupId: aws.String("sg-3"), Tags: in.TagSpecifications[0].Tags}, nil
}

func (e *toyEC2) AuthorizeSecurityGroupIngress(_ context.Context, in *authorizeIngressInput) (*authorizeIngressOutput, error) {
	e.keep(*in)
	return &authorizeIngressOutput{Return: aws.Bool(true)}, nil
}

func (e *toyEC2) DeleteSecurityGroup(_ context.Context, in *deleteGroupInput) (*deleteGroupOutput, error) {
	e.keep(*in)
	if *in.GroupId == "sg-missing" {
		return nil, &smithy.GenericAPIError{Code: "InvalidGroup.NotFound", Message: "The security group 'sg-missing' does not exist"}
	}
	return &deleteGroupOutput{}, nil
}

func (e *toyEC2) ImportKeyPair(_ context.Context, in *importKeyInput) (*importKeyOutput, error) {
	e.keep(*in)
	return &importKeyOutput{KeyFingerprint: aws.String("12:34"), KeyName: in.KeyName}, nil
}

func (e *toyEC2) DescribeSpotPriceHistory(_ context.Context, in *priceHistoryInput) (*priceHistoryOutput, error) {
	e.keep(*in)
	return &priceHistoryOutput{}, nil
}

func (e *toyEC2) service() Service {
	s := Service{
		Impl: e, Operations: map[string]Operation{},
		Model: &model.Service{Name: "ec2", SigningName: "ec2", Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/"},
	}
	for _, name := range []string{
		"AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "DeleteSecurityGroup", "DescribeNetworkInterfaces",
		"DescribeSpotPriceHistory", "DescribeVpcs", "ImportKeyPair",
	} {
		s.Model.Operations = append(s.Model.Operations, model.Operation{Name: name})
		if name != "DescribeVpcs" { // is not served
			s.Operations[name] = Operation{Action: "ec2:" + name}
		}
	}
	return s
}

// The stock command line calls a service with EC2's dialect, whose shapes are written by
// hand: each input is decoded as it was meant, and each answer is printed as it was
// given.
func TestEC2ByStockCommandLine(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatalf("scripts/ensure-test-tools.sh installs the aws command line: %v", err)
	}
	toy := &toyEC2{}
	d := open(t, func(c *Config, _ *door) { c.Services = append(c.Services, toy.service()) })
	material := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(material, []byte("ssh-ed25519 \x00\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Version 1 prints times as they came, version 2 as ISO 8601.
	settings := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(settings, []byte("[default]\ncli_timestamp_format = iso8601\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	str, at := aws.String, func(h int) *time.Time {
		v := time.Date(2026, 11, 28, h, 30, 0, 0, time.UTC)
		return &v
	}
	for _, tt := range []struct {
		args    string
		in      any
		out     string // JSON, empty if nothing is printed
		failure string
	}{
		{
			"describe-network-interfaces --no-paginate --max-results 5 --network-interface-ids eni-1 eni-2 --filters Name=group-id,Values=sg-1,sg-2 Name=status,Values=in-use",
			describeInterfacesInput{
				NetworkInterfaceIds: []string{"eni-1", "eni-2"}, MaxResults: aws.Int32(5),
				Filters: []ec2Filter{{str("group-id"), []string{"sg-1", "sg-2"}}, {str("status"), []string{"in-use"}}},
			},
			`{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","PrivateIpAddress":"10.0.0.7","SourceDestCheck":false,
				"Attachment":{"AttachTime":"2026-11-28T06:00:00+00:00","DeleteOnTermination":true,"DeviceIndex":0,"Status":"attached"},
				"Groups":[{"GroupId":"sg-1","GroupName":"web & <more>"},{"GroupId":"sg-2","GroupName":"db"}],
				"TagSet":[{"Key":"Name","Value":"näme"}]},{"NetworkInterfaceId":"eni-2","Groups":[]}],"NextToken":"next"}`, "",
		},
		{
			"create-security-group --group-name web --vpc-id vpc-1 --description all&more --tag-specifications ResourceType=security-group,Tags=[{Key=a,Value=1},{Key=b,Value=2}]",
			createGroupInput{
				GroupName: str("web"), VpcId: str("vpc-1"), Description: str("all&more"),
				TagSpecifications: []ec2TagSpecification{{"security-group", []ec2Tag{{str("a"), str("1")}, {str("b"), str("2")}}}},
			},
			`{"GroupId":"sg-3","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}`, "",
		},
		{
			"authorize-security-group-ingress --group-id sg-1 --ip-permissions IpProtocol=tcp,FromPort=80,ToPort=81,IpRanges=[{CidrIp=10.0.0.0/8,Description=in},{CidrIp=0.0.0.0/0}]",
			authorizeIngressInput{GroupId: str("sg-1"), IpPermissions: []ec2Permission{{
				IpProtocol: str("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(81),
				IpRanges: []ec2Range{{str("10.0.0.0/8"), str("in")}, {CidrIp: str("0.0.0.0/0")}},
			}}},
			`{"Return":true}`, "",
		},
		{
			"delete-security-group --group-id sg-missing", deleteGroupInput{str("sg-missing")}, "",
			"(InvalidGroup.NotFound) when calling the DeleteSecurityGroup operation: The security group 'sg-missing' does not exist",
		},
		{
			"import-key-pair --key-name k --public-key-material fileb://" + material, importKeyInput{str("k"), []byte("ssh-ed25519 \x00\xff")},
			`{"KeyFingerprint":"12:34","KeyName":"k"}`, "",
		},
		{
			"describe-spot-price-history --no-paginate --instance-types m5.large --start-time 2026-11-28T05:30:00Z --end-time 2026-11-28T07:30:00+01:00",
			priceHistoryInput{InstanceTypes: []string{"m5.large"}, StartTime: at(5), EndTime: at(6)}, "", "",
		},
		{
			"describe-network-interfaces --no-paginate --max-results 5 --filters Name=a", // a filter without values
			describeInterfacesInput{MaxResults: aws.Int32(5), Filters: []ec2Filter{{Name: str("a")}}}, "-", "",
		},
		{"describe-vpcs", nil, "", "(UnsupportedOperation) when calling the DescribeVpcs operation"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, path, append([]string{"--output", "json", "ec2"}, strings.Fields(tt.args)...)...)
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(settings), "AWS_CONFIG_FILE=" + settings, "AWS_ENDPOINT_URL=" + d.URL, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
				"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "LC_ALL=C.UTF-8",
			}
			cmd.WaitDelay = time.Second
			var out, diag bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &diag
			err := cmd.Run()
			if (err != nil) != (tt.failure != "") || !strings.Contains(diag.String(), tt.failure) {
				t.Fatalf("%v, want %q\n%s", err, tt.failure, &diag)
			}
			if diff := cmp.Diff(tt.in, toy.take()); diff != "" {
				t.Errorf("the input (-meant +got):\n%s", diff)
			}
			switch {
			case tt.out == "-":
			case tt.out == "" && strings.TrimSpace(out.String()) != "":
				t.Errorf("printed %s", &out)
			case tt.out != "":
				var want, printed any
				if err := json.Unmarshal([]byte(tt.out), &want); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(out.Bytes(), &printed); err != nil {
					t.Fatalf("%v in %s", err, &out)
				}
				if diff := cmp.Diff(want, printed); diff != "" {
					t.Errorf("the answer (-given +printed):\n%s", diff)
				}
			}
		})
	}
}
