package frame

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// inventory is the largest message of an agent: 10,000 tasks with four containers each,
// and 50,000 tombstones.
func inventory() string {
	const arn = "arn:aws:ecs:us-east-1:000000000000:task/c/0123456789abcdef0123456789abcdef"
	var b strings.Builder
	b.WriteString(`{"type":"InventoryMessage","message":{"messageId":"m","tasks":[`)
	for i := range 10_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"taskArn":%q,"desiredStatus":"RUNNING","status":"RUNNING","unreported":0,"containers":[`, arn)
		b.WriteString(strings.Repeat(`{"containerName":"a","status":"RUNNING"},`, 3) + `{"containerName":"a","status":"RUNNING"}]}`)
	}
	b.WriteString(`],"tombstones":[` + strings.Repeat(`{"taskArn":"`+arn+`","stoppedAt":1795289876660},`, 49_999) + `{"taskArn":"` + arn + `","stoppedAt":1795289876660}]}}`)
	return b.String()
}

// Messages of agents are accepted, and their estimate is a few times their size.
func TestWeighAgentsMessages(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        ``,
		"an empty one":   `{"type":"HeartbeatAckRequest","message":{}}`,
		"empty lists":    `{"type":"X","message":{"a":[],"b":{},"c":[[],[]]}}`,
		"an inventory":   inventory(),
		"statistics":     `{"type":"PublishMetricsRequest","message":{"taskMetrics":[` + strings.Repeat(`{"min":0,"max":0,"sampleCount":0,"sum":0},`, 2000) + `{}]}}`,
		"brackets, told": `{"type":"X","message":{"reason":"` + strings.Repeat(`[{,`, 1000) + `\"[{"}}`,
	} {
		bytes, err := EstimateMemory([]byte(text))
		if err != nil || bytes > int64(8*len(text)+16<<10) {
			t.Errorf("%s: %d bytes weigh %d: %v", name, len(text), bytes, err)
		}
	}
}

// A frame that would take far more memory is refused before it is decoded.
func TestWeighRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty objects": `{"type":"InventoryMessage","message":{"tasks":[` + strings.Repeat("{},", 2_700_000) + `{}]}}`,
		"empty lists":   strings.Repeat("[],", 10_000),
		"a few bytes":   strings.Repeat("{},", 200),
		"values":        `{"acks":[` + strings.Repeat(`"",`, 2_000_000) + `""]}`,
		"depth":         strings.Repeat(`{"aaaaaaaaaaaaaaaaaaaa":`, maxDepth+1),
	} {
		if bytes, err := EstimateMemory([]byte(text)); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %d bytes weigh %d: %v", name, len(text), bytes, err)
		}
	}
}

func BenchmarkWeigh(b *testing.B) {
	for name, text := range map[string]string{
		"a report":     `{"type":"ReportMessage","message":{"messageId":"x","reports":[{"taskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/0123456789abcdef0123456789abcdef","status":"RUNNING","containers":[{"containerName":"web","status":"RUNNING"}]}]}}`,
		"an inventory": inventory(),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			data := []byte(text)
			for b.Loop() {
				if _, err := EstimateMemory(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
