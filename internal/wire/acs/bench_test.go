package acs

import "testing"

// BenchmarkFrames measures a task on the connection: its order and its report.
func BenchmarkFrames(b *testing.B) {
	for _, m := range []Message{
		&PayloadMessage{MessageID: "5f0c7a34-97f3-4a0f-9a3f-1f6f3c9c3b9e", ClusterArn: "arn:aws:ecs:us-east-1:000000000000:cluster/default",
			ContainerInstanceArn: "arn:aws:ecs:us-east-1:000000000000:container-instance/default/597c4d48e1ffb07ce91bd4fd87bc495d", GeneratedAt: 1763780000000, SeqNum: 123456,
			Tasks: []Task{{Arn: "arn:aws:ecs:us-east-1:000000000000:task/default/597c4d48e1ffb07ce91bd4fd87bc495d", DesiredStatus: StatusRunning,
				TaskClusterArn: "arn:aws:ecs:us-east-1:000000000000:cluster/default", Family: "web", Version: "12", NetworkMode: "bridge", LaunchType: "EC2", Group: "service:web",
				Containers: []Container{{Name: "main", Image: "registry.example/web:1.2.3", Essential: true, CPU: 16, Memory: 16, Environment: map[string]string{"MODE": "production"}}}}}},
		&ReportMessage{MessageID: "5f0c7a34-97f3-4a0f-9a3f-1f6f3c9c3b9e", ClusterArn: "arn:aws:ecs:us-east-1:000000000000:cluster/default",
			ContainerInstanceArn: "arn:aws:ecs:us-east-1:000000000000:container-instance/default/597c4d48e1ffb07ce91bd4fd87bc495d",
			Reports: []TaskReport{{TaskArn: "arn:aws:ecs:us-east-1:000000000000:task/default/597c4d48e1ffb07ce91bd4fd87bc495d", Status: StatusRunning,
				Containers: []ContainerReport{{ContainerName: "main", RuntimeID: "597c4d48e1ffb07ce91bd4fd87bc495d597c4d48e1ffb07ce91bd4fd87bc495d", Status: StatusRunning}}}}},
	} {
		data, err := Encode(m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode "+m.kind(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Encode(m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode "+m.kind(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
