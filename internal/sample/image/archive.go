// Package image makes the sample image from Ashore's own static binary and loads it
// into the engine. It needs neither a network nor another tool.
//
// The archive has the format of `docker save`: manifest, configuration, one layer. The
// layer has the binary, and links to it with the names of package sample. Times, owners
// and order are fixed, so the same binary makes the same image, byte for byte.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/sample"
)

const (
	// LabelInstallation is the label with the image's installation.
	LabelInstallation = "dev.ashore.installation"
	labelLayer        = "dev.ashore.sample.layer"
)

// archive is an image that is not written yet. Only its small parts are in memory.
type archive struct {
	binary string
	size   int64
	layer  string // sha256 of the layer, hex
	config []byte
	id     string // sha256 of the configuration, hex: the image's id for the engine
	tags   []string
}

type imageConfig struct {
	Created      string `json:"created"`
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		Env          []string            `json:"Env"`
		Cmd          []string            `json:"Cmd"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Labels       map[string]string   `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []map[string]string `json:"history"`
}

// plan reads the binary for its digest. write reads it again.
func plan(binary, installation string, tags ...string) (*archive, error) {
	if err := checkStatic(binary); err != nil {
		return nil, err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	a := &archive{binary: binary, size: info.Size(), tags: tags}
	h := sha256.New()
	if err := a.writeLayer(h); err != nil {
		return nil, err
	}
	a.layer = hexSum(h)

	var c imageConfig
	c.Created = "1970-01-01T00:00:00Z"
	c.Architecture, c.OS = runtime.GOARCH, "linux"
	c.Config.Env = []string{"PATH=/bin"}
	c.Config.Cmd = []string{"sample"}
	c.Config.ExposedPorts = map[string]struct{}{sample.DefaultPort + "/tcp": {}}
	c.Config.Labels = map[string]string{LabelInstallation: installation, labelLayer: a.layer}
	c.RootFS.Type = "layers"
	c.RootFS.DiffIDs = []string{"sha256:" + a.layer}
	c.History = []map[string]string{{"created": c.Created, "created_by": "ashore up"}}
	if a.config, err = json.Marshal(c); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(a.config)
	a.id = hex.EncodeToString(sum[:])
	return a, nil
}

// write writes the whole archive.
func (a *archive) write(w io.Writer) error {
	manifest, err := json.Marshal([]map[string]any{{
		"Config": a.id + ".json", "RepoTags": a.tags, "Layers": []string{a.layer + ".tar"},
	}})
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		body []byte
	}{{"manifest.json", manifest}, {a.id + ".json", a.config}} {
		if err := t.WriteHeader(header(f.name, int64(len(f.body)))); err != nil {
			return err
		}
		if _, err := t.Write(f.body); err != nil {
			return err
		}
	}
	var layerSize counter
	if err := a.writeLayerOf(&layerSize, zeros{}); err != nil {
		return err
	}
	if err := t.WriteHeader(header(a.layer+".tar", int64(layerSize))); err != nil {
		return err
	}
	if err := a.writeLayer(t); err != nil {
		return err
	}
	return t.Close()
}

func (a *archive) writeLayer(w io.Writer) error {
	f, err := os.Open(a.binary)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.writeLayerOf(w, f)
}

func (a *archive) writeLayerOf(w io.Writer, binary io.Reader) error {
	t := tar.NewWriter(w)
	dir := header("bin/", 0)
	dir.Typeflag, dir.Mode = tar.TypeDir, 0o755
	if err := t.WriteHeader(dir); err != nil {
		return err
	}
	h := header("bin/ashore", a.size)
	h.Mode = 0o755
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	// Here a shorter binary that has replaced it meanwhile is an error. A longer one
	// changes the digest, which the engine checks.
	if _, err := io.CopyN(t, binary, a.size); err != nil {
		return fmt.Errorf("read %s: %w", a.binary, err)
	}
	for _, name := range sample.Names {
		l := header("bin/"+name, 0)
		l.Typeflag, l.Linkname, l.Mode = tar.TypeSymlink, "ashore", 0o777
		if err := t.WriteHeader(l); err != nil {
			return err
		}
	}
	return t.Close()
}

func header(name string, size int64) *tar.Header {
	return &tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
}

// checkStatic returns an error for a binary that needs a loader, because the image has
// none.
func checkStatic(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return hint.With(fmt.Errorf("%s is linked dynamically and can't run in the sample image", binary),
				"build it with CGO_ENABLED=0, as make build does")
		}
	}
	return nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
