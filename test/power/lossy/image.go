package lossy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// piece is how many bytes are copied at once. Pieces of zeros are skipped.
const piece = 1 << 16

// Format makes an ext4 file system. image is the path of a temporary file.
func (d *Disk) Format(image string) (err error) {
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(image)) }()
	if err := f.Truncate(d.Size); err != nil {
		return err
	}
	// What is initialised now isn't written in the background later.
	cmd := exec.Command("mkfs.ext4", "-q", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", image)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w\n%s\nit is in the package e2fsprogs", err, out)
	}
	buf, zeros := make([]byte, piece), make([]byte, piece)
	for at := int64(0); at < d.Size; at += piece {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return err
		}
		if bytes.Equal(buf[:n], zeros[:n]) {
			continue
		}
		if err := d.Write(buf[:n], at); err != nil {
			return err
		}
		d.Flush()
	}
	return nil
}

// Check makes e2fsck replay the journal and check the file system as a cut has left it,
// in a copy at the path image. A problem about which e2fsck would ask is an error.
func (d *Disk) Check(image string) (err error) {
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(image)) }()
	if err := f.Truncate(d.Size); err != nil {
		return err
	}
	zeros := make([]byte, piece)
	d.mu.Lock()
	for at := int64(0); at < d.Size; at += piece {
		if b := d.durable[at:min(at+piece, d.Size)]; !bytes.Equal(b, zeros[:len(b)]) {
			if _, err := f.WriteAt(b, at); err != nil {
				d.mu.Unlock()
				return err
			}
		}
	}
	d.mu.Unlock()
	out, err := exec.Command("e2fsck", "-f", "-p", image).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 { // the journal's replay and its consequences
		return nil
	}
	if err != nil {
		return fmt.Errorf("e2fsck: %w\n%s", err, out)
	}
	return nil
}
