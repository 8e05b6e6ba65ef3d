package main

import (
	"context"
	"errors"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/compute-in-go/internal/providerv2"
)

func keyed(key, function string) *providerv2.CallRequest {
	return &providerv2.CallRequest{Interface: interfaceName, Function: function, IdempotencyKey: key}
}

func TestCallsWithOneKeyAreOneCall(t *testing.T) {
	var calls once
	started, release := make(chan struct{}), make(chan struct{})
	count := 0
	work := func() (*providerv2.Value, error) {
		count++ // the race detector sees a second one
		close(started)
		<-release
		return text("made"), nil
	}
	var waiting sync.WaitGroup
	run := func() {
		defer waiting.Done()
		made, err := calls.do(context.Background(), keyed("key", "spawn"), work)
		if err != nil || made.GetStringValue() != "made" {
			t.Errorf("got %v, %v", made, err)
		}
	}
	waiting.Add(1)
	go run()
	<-started
	waiting.Add(3)
	for range 3 {
		go run()
	}
	close(release)
	waiting.Wait()
	if count != 1 {
		t.Fatalf("%d calls", count)
	}
}

func TestAFailureIsNotKept(t *testing.T) {
	var calls once
	broken := errors.New("broken")
	for range 2 {
		_, err := calls.do(context.Background(), keyed("key", "spawn"), func() (*providerv2.Value, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestAKeyStandsForOneRequest(t *testing.T) {
	var calls once
	work := func() (*providerv2.Value, error) { return null(), nil }
	if _, err := calls.do(context.Background(), keyed("key", "spawn"), work); err != nil {
		t.Fatal(err)
	}
	_, err := calls.do(context.Background(), keyed("key", "list"), work)
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("want INVALID_ARGUMENT, got %v", err)
	}
}

func TestWhoWaitsForAKeyCanLeave(t *testing.T) {
	var calls once
	started, release := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = calls.do(context.Background(), keyed("key", "spawn"), func() (*providerv2.Value, error) {
			close(started)
			<-release
			return null(), nil
		})
	}()
	<-started
	left, leave := context.WithCancel(context.Background())
	leave()
	if _, err := calls.do(left, keyed("key", "spawn"), nil); status.Code(err) != codes.Canceled {
		t.Fatalf("want CANCELED, got %v", err)
	}
	close(release)
	<-ended
}

func TestTheOldestKeyGoesFirst(t *testing.T) {
	var calls once
	for at := range keptKeys + 1 {
		key := string(rune('a'+at%26)) + string(rune(0x4e00+at))
		if _, err := calls.do(context.Background(), keyed(key, "spawn"), func() (*providerv2.Value, error) { return null(), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(calls.calls) != keptKeys || len(calls.order) != keptKeys {
		t.Fatalf("%d keys, %d in order", len(calls.calls), len(calls.order))
	}
}
