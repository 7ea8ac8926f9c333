package sigv4

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

func BenchmarkVerify(b *testing.B) {
	r := call(b)
	sdkSign(b, r, "ecs", now)
	got, body := received(b, r)
	v := verifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(got, body, Options{Service: "ecs"}); err != nil {
			b.Fatal(err)
		}
	}
}

// For comparison: the SDK signs the same request, without the hash of its body.
func BenchmarkSDKSign(b *testing.B) {
	r := call(b)
	s := v4.NewSigner()
	hash := payloadHash(bodyOf(b, r))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.SignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, r, hash, "ecs", testRegion, now); err != nil {
			b.Fatal(err)
		}
	}
}
