package ecs

import (
	"context"
	"slices"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) tagResourceOperations() operations {
	return operations{
		"TagResource":   newOperation("ecs:TagResource", func(in *sdk.TagResourceInput) []string { return []string{aws.ToString(in.ResourceArn)} }),
		"UntagResource": newOperation("ecs:UntagResource", func(in *sdk.UntagResourceInput) []string { return []string{aws.ToString(in.ResourceArn)} }),
		"ListTagsForResource": newOperation("ecs:ListTagsForResource", func(in *sdk.ListTagsForResourceInput) []string {
			return []string{aws.ToString(in.ResourceArn)}
		}),
	}
}

// TagResource adds tags to a resource. A tag with an existing key gets the new value.
func (s *Service) TagResource(ctx context.Context, in *sdk.TagResourceInput) (*sdk.TagResourceOutput, error) {
	if err := tag.Check(in.Tags); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		r, err := s.findTaggable(tx, aws.ToString(in.ResourceArn))
		if err != nil {
			return modelError(err)
		}
		if len(in.Tags) == 0 {
			return nil
		}
		tags := tag.Merge(r.tags, in.Tags)
		if n := tag.CountOwn(tags); n > tag.Max {
			return refuse.Invalid("tags: a resource can have at most %d tags, and with these %s would have %d.", tag.Max, *in.ResourceArn, n)
		}
		return r.put(tags)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.TagResourceOutput{}, nil
}

// UntagResource removes tags from a resource by their keys. A key that the resource
// does not have is no error.
func (s *Service) UntagResource(ctx context.Context, in *sdk.UntagResourceInput) (*sdk.UntagResourceOutput, error) {
	for _, k := range in.TagKeys {
		if err := tag.CheckKey("tagKeys", k); err != nil {
			return nil, err
		}
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		r, err := s.findTaggable(tx, aws.ToString(in.ResourceArn))
		if err != nil {
			return modelError(err)
		}
		left := slices.DeleteFunc(slices.Clone(r.tags), func(t types.Tag) bool { return slices.Contains(in.TagKeys, aws.ToString(t.Key)) })
		if len(left) == len(r.tags) {
			return nil
		}
		return r.put(left)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UntagResourceOutput{}, nil
}

// ListTagsForResource lists a resource's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
	var tags []types.Tag
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		r, err := s.findTaggable(tx, aws.ToString(in.ResourceArn))
		tags = r.tags
		return err
	})
	if err != nil {
		return nil, err
	}
	return &sdk.ListTagsForResourceOutput{Tags: shape.NotNil(tags)}, nil
}
