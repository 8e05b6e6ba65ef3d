package main

import (
	"context"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/compute-in-go/internal/providerv2"
)

// keptKeys is how many answers are remembered; the oldest goes first.
const keptKeys = 1024

// once makes one call of those that carry the same idempotency key.
type once struct {
	mu    sync.Mutex
	calls map[string]*keyedCall
	order []string // keys, the oldest first
}

// keyedCall is the first call with a key; its answer is there when done is closed.
type keyedCall struct {
	request *providerv2.CallRequest
	done    chan struct{}
	result  *providerv2.Value
	err     error
}

// do runs work, or waits for the answer that another call with the same key got
// or will get. A failure is not remembered: the next call with the key tries again.
func (o *once) do(
	ctx context.Context, request *providerv2.CallRequest, work func() (*providerv2.Value, error),
) (*providerv2.Value, error) {
	key := request.GetIdempotencyKey()
	if key == "" {
		return work()
	}
	for {
		mine, first := o.enter(key, request)
		if first {
			return o.finish(key, mine, work)
		}
		if !proto.Equal(mine.request, request) {
			return nil, failure("INVALID_SPEC", "the idempotency key was used for another request")
		}
		select {
		case <-mine.done:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if mine.err == nil {
			return mine.result, nil
		}
	}
}

// enter returns the call that has the key, and whether it is the caller's own.
func (o *once) enter(key string, request *providerv2.CallRequest) (*keyedCall, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.calls[key]; known != nil {
		return known, false
	}
	if o.calls == nil {
		o.calls = map[string]*keyedCall{}
	}
	made := &keyedCall{request: request, done: make(chan struct{})}
	o.calls[key] = made
	o.order = append(o.order, key)
	if len(o.order) > keptKeys {
		delete(o.calls, o.order[0])
		o.order = o.order[1:]
	}
	return made, true
}

// finish does the work, also for those who wait; a panic counts as a failure for them.
func (o *once) finish(
	key string, mine *keyedCall, work func() (*providerv2.Value, error),
) (*providerv2.Value, error) {
	mine.err = failure("PROVIDER_INTERNAL", "the call with this idempotency key failed")
	defer func() {
		if mine.err != nil {
			o.forget(key, mine)
		}
		close(mine.done)
	}()
	mine.result, mine.err = work()
	return mine.result, mine.err
}

func (o *once) forget(key string, call *keyedCall) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.calls[key] != call {
		return
	}
	delete(o.calls, key)
	for at, one := range o.order {
		if one == key {
			o.order = append(o.order[:at], o.order[at+1:]...)
			return
		}
	}
}
