package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/store"
)

// advise adds a hint to the store's own errors.
func advise(err error) error {
	var (
		site    *store.SiteError
		held    *store.HeldError
		files   *store.FilesError
		damaged *store.DamagedError
		etcd    *store.EtcdError
	)
	switch {
	case errors.As(err, &site):
		return hint.With(err, "leave --account and --region out, or start another installation by --data-dir")
	case errors.As(err, &held):
		return hint.With(err, "stop it by `ashore down`, or use another folder by --data-dir")
	case errors.As(err, &files), errors.Is(err, syscall.EMFILE):
		return hint.With(err, "raise the limit where it is started: `ulimit -n 4096`, or LimitNOFILE=4096 in a systemd unit")
	case errors.Is(err, store.ErrDisk), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return hint.With(err, "free some room on that disk, or use a folder on another disk by --data-dir")
	case errors.Is(err, syscall.EROFS):
		return hint.With(err, "mount that disk so that it can be written (the kernel's log says why it is not: `dmesg`), or use a folder on another disk by --data-dir")
	case errors.Is(err, fs.ErrPermission):
		return hint.With(err, "use the same user that started it first (sudo?), or another folder by --data-dir")
	case errors.As(err, &damaged):
		return hint.With(err, "a backup brings the state back: move %s to another place, then `ashore restore FILE` with the same --data-dir, and start again; what runs on the hosts runs on meanwhile", damaged.Dir)
	case errors.As(err, &etcd):
		return hint.With(err, "start it again; where it fails in the same way, its state is damaged: move the folder server/etcd of the data folder to another place, and bring a backup back by `ashore restore FILE`")
	}
	return err
}
