package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	suffix    = ".json"
	maxSource = 64 << 20              // bytes of one file
	pipePause = 20 * time.Millisecond // between two looks at a pipe without a writer
)

// store is the folder that the provider answers from. It holds no handle: the
// folder is opened for each call, so that a folder put back in its place serves.
type store struct {
	directory string
}

// openStore reads the one setting, `directory`. A relative one starts at the
// folder of the file that declared the provider. Messages name the key and never
// the value, here and everywhere: values may be secret.
func openStore(settings map[string]*structpb.Value, sourceFile string) (*store, error) {
	setting, found := settings["directory"]
	if !found {
		return nil, status.Error(codes.InvalidArgument, "directory: missing; set it to the folder of the JSON files")
	}
	text, isText := setting.GetKind().(*structpb.Value_StringValue)
	if !isText || text.StringValue == "" || strings.ContainsRune(text.StringValue, 0) {
		return nil, status.Error(codes.InvalidArgument, "directory: want the path of a folder, as a string")
	}
	directory := text.StringValue
	if !filepath.IsAbs(directory) && sourceFile != "" {
		directory = filepath.Join(filepath.Dir(sourceFile), directory)
	}
	// Absolute from now on, whatever happens to the working directory.
	directory, err := filepath.Abs(directory)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, "directory: the working directory is gone; give an absolute path")
	}
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, status.Error(codes.PermissionDenied, "directory: this user may not read it; change its mode or owner")
	case err != nil:
		return nil, status.Error(codes.FailedPrecondition, "directory: no such folder; create it or correct the path")
	case !info.IsDir():
		return nil, status.Error(codes.InvalidArgument, "directory: is a file; want a folder")
	}
	return &store{directory}, nil
}

// complaint says what keeps the store from answering, and what to do.
func (s *store) complaint() string {
	folder, err := os.Open(s.directory)
	if err != nil {
		return "directory: cannot be opened any more; restore the folder"
	}
	defer folder.Close()
	for {
		entries, err := folder.ReadDir(64)
		for _, entry := range entries {
			if entry.IsDir() || strings.HasSuffix(entry.Name(), suffix) {
				return ""
			}
		}
		if err != nil {
			return "directory: holds no JSON file; put one there"
		}
	}
}

// fetch finds the file that a path leads to and answers what the rest of the path
// names in it. os.Root keeps every step inside the directory, symbolic links too.
func (s *store) fetch(ctx context.Context, segments []string) (*structpb.Struct, error) {
	if err := checkPath(segments); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.directory)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable,
			"%s: the directory cannot be opened any more; restore the folder", shortened(segments[0]))
	}
	defer root.Close()

	folder := "."
	for i, segment := range segments {
		if err := expired(ctx, segment); err != nil {
			return nil, err
		}
		if segment == "*" {
			return readFolder(ctx, root, folder)
		}
		name, indexes := splitIndexes(segment)
		for _, candidate := range []struct {
			name string
			rest []string
		}{
			{segment, segments[i+1:]},
			{name, append([]string{indexes}, segments[i+1:]...)},
		} {
			if candidate.name == "" {
				continue
			}
			file := path.Join(folder, candidate.name+suffix)
			info, err := stat(root, file, segment)
			if err != nil {
				return nil, err
			}
			if info == nil || info.IsDir() {
				continue
			}
			document, err := readDocument(ctx, root, file)
			if err != nil {
				return nil, err
			}
			return answer(document, candidate.rest)
		}
		folder = path.Join(folder, segment)
		info, err := stat(root, folder, segment)
		if err != nil {
			return nil, err
		}
		if info == nil || !info.IsDir() {
			return nil, status.Errorf(codes.NotFound, "%s: no file of this name with .json, and no folder", shortened(segment))
		}
	}
	return nil, status.Errorf(codes.NotFound,
		"%s: is a folder; add the name of a file in it, or *", shortened(segments[len(segments)-1]))
}

// checkPath refuses what cannot be a name, before the file system sees any of it.
func checkPath(segments []string) error {
	if len(segments) == 0 {
		return status.Error(codes.InvalidArgument, "the path is empty: name a file, or * for all of them")
	}
	for i, segment := range segments {
		switch {
		case segment == "":
			return status.Errorf(codes.InvalidArgument, "segment %d of the path is empty: leave it out", i)
		case segment == ".", segment == "..", strings.ContainsAny(segment, "/\\\x00"):
			return status.Errorf(codes.InvalidArgument,
				"%s: want one name; give the levels of a path as segments of their own", shortened(segment))
		case segment == "*" && i < len(segments)-1:
			return status.Error(codes.InvalidArgument, "*: stands only at the end of a path")
		}
	}
	return nil
}

// stat returns nil for what is not there. segment is what messages name.
func stat(root *os.Root, name, segment string) (fs.FileInfo, error) {
	info, err := root.Stat(name)
	switch {
	case err == nil:
		return info, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, status.Errorf(codes.PermissionDenied, "%s: this user may not read it", shortened(segment))
	default: // above all a symbolic link that leads out of the directory, or round in a circle
		return nil, status.Errorf(codes.PermissionDenied, "%s: leads out of the directory", shortened(segment))
	}
}

// readFolder answers `*` in a folder: every document directly in it, by name.
func readFolder(ctx context.Context, root *os.Root, folder string) (*structpb.Struct, error) {
	directory, err := root.Open(folder)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, "*: this user may not list the folder")
	}
	defer directory.Close()
	entries, err := directory.ReadDir(-1)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "*: the folder cannot be listed; try again")
	}
	documents := make(map[string]any)
	for _, entry := range entries {
		name, isDocument := strings.CutSuffix(entry.Name(), suffix)
		if !isDocument || name == "" || entry.IsDir() {
			continue
		}
		document, err := readDocument(ctx, root, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		documents[name] = document
	}
	return toStruct(documents)
}

// readDocument reads a file and parses it.
func readDocument(ctx context.Context, root *os.Root, file string) (any, error) {
	name := path.Base(file)
	// O_NONBLOCK: opening a named pipe must not wait for its writer.
	source, err := root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if _, err := stat(root, file, name); err != nil {
			return nil, err
		}
		return nil, status.Errorf(codes.PermissionDenied, "%s: this user may not read it", shortened(name))
	}
	defer source.Close()
	// Wakes a Read that waits for a pipe when the caller gives up.
	defer context.AfterFunc(ctx, func() { _ = source.SetReadDeadline(time.Now()) })()
	text, err := read(ctx, source, name)
	if err != nil {
		return nil, err
	}
	return parse(name, text)
}

// read returns the whole of a file or a named pipe, for as long as the caller
// waits for it.
func read(ctx context.Context, source *os.File, name string) ([]byte, error) {
	info, err := source.Stat()
	if err != nil || (!info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0) {
		return nil, status.Errorf(codes.FailedPrecondition, "%s: is no file; replace it", shortened(name))
	}
	var text []byte
	chunk := make([]byte, 64<<10)
	for {
		if err := expired(ctx, name); err != nil {
			return nil, err
		}
		count, err := source.Read(chunk)
		text = append(text, chunk[:count]...)
		switch {
		case len(text) > maxSource:
			return nil, status.Errorf(codes.ResourceExhausted, "%s: the file is larger than 64 MiB; split it", shortened(name))
		case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF) && len(text) == 0 && !info.Mode().IsRegular():
			// A pipe that nobody has opened for writing yet looks like one at its end.
			select {
			case <-ctx.Done():
			case <-time.After(pipePause):
			}
		case errors.Is(err, io.EOF):
			return text, nil
		default:
			return nil, status.Errorf(codes.Unavailable, "%s: the file cannot be read; try again", shortened(name))
		}
	}
}

// expired is the error of a call whose caller has given up, or nil.
func expired(ctx context.Context, segment string) error {
	if ctx.Err() == nil {
		return nil
	}
	return status.Errorf(status.FromContextError(ctx.Err()).Code(), "%s: the caller's time was over", shortened(segment))
}

// shortened quotes a name for a message: a caller may send a megabyte of it.
func shortened(name string) string {
	const most = 60
	if runes := []rune(name[:min(len(name), 4*(most+1))]); len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", name)
}
