package model_test

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/aws/model"
)

func TestMembers(t *testing.T) {
	s, err := model.Of(reflect.TypeFor[ecs.RunTaskInput]())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Members {
		f := s.Type.Field(m.Index).Name
		if m.Schema == nil {
			t.Errorf("%s has no schema", f)
		}
		if model.LowerFirst(f) != m.Name {
			t.Errorf("%s is %s", f, m.Name)
		}
	}
	_ = types.Tag{}
}
