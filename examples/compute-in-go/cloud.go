package main

import (
	"crypto/rand"
	"encoding/hex"
	"sort"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/compute-in-go/internal/providerv2"
)

const region = "here"

var (
	specs    = []string{"small", "large"}
	statuses = []string{
		"pending", "starting", "running", "stopping", "stopped", "terminating", "terminated", "error",
	}
)

type instance struct {
	id, spec string
	created  time.Time
	ended    bool
	tags     map[string]string
}

// cloud holds the instances; every method of it takes the lock for a moment.
type cloud struct {
	boot     time.Duration
	capacity int
	once     once

	mu        sync.Mutex
	instances []*instance // in the order of their creation
}

func newCloud(settings map[string]*structpb.Value) (*cloud, error) {
	made := &cloud{boot: 50 * time.Millisecond, capacity: 1000}
	for key, value := range settings {
		number, ok := value.GetKind().(*structpb.Value_NumberValue)
		if !ok || number.NumberValue < 0 || number.NumberValue > 1e6 {
			return nil, status.Errorf(codes.InvalidArgument, "%s: must be a number from 0 to 1000000", shortened(key))
		}
		switch key {
		case "boot_seconds":
			made.boot = time.Duration(number.NumberValue * float64(time.Second))
		case "capacity":
			made.capacity = int(number.NumberValue)
		default:
			return nil, status.Errorf(codes.InvalidArgument, "%s: there is no such setting", shortened(key))
		}
	}
	return made, nil
}

// state follows from the clock: nothing runs beside the calls.
func (c *cloud) state(one *instance) string {
	switch {
	case one.ended:
		return "terminated"
	case time.Since(one.created) < c.boot:
		return "pending"
	}
	return "running"
}

func (c *cloud) value(one *instance) *providerv2.Value {
	return mapOf(map[string]*providerv2.Value{
		"id":         text(one.id),
		"status":     text(c.state(one)),
		"spec":       text(one.spec),
		"region":     text(region),
		"created_at": whole(one.created.UnixMilli()),
		"is_spot":    truth(false),
	})
}

// find returns the instance of exactly that id, nil where there is none.
func (c *cloud) find(id string) *instance {
	for _, one := range c.instances {
		if one.id == id {
			return one
		}
	}
	return nil
}

func spawn(c *cloud, arguments *record) (*providerv2.Value, error) {
	options := arguments.inner("options", true)
	if options == nil {
		return nil, arguments.end()
	}
	made := &instance{spec: options.text("spec"), tags: options.texts("tags"), created: time.Now()}
	options.text("control_id")
	options.maybeWhole("instance_id", true)
	options.maybeWhole("disk_size_gb", false)
	options.maybeText("init_checksum", false)
	options.maybeText("manifest_id", false)
	options.maybeNumber("max_spot_price")
	wanted := options.maybeText("region", false)
	spot := options.truth("spot")
	volume := options.maybeText("volume_id", false)
	snapshot := options.maybeText("snapshot_id", false)
	network := readNetwork(options)
	script := readBootstrap(options, "bootstrap")
	if err := firstOf(options.end, arguments.end); err != nil {
		return nil, err
	}
	switch {
	case spot || volume != nil || snapshot != nil || network:
		return nil, failure("UNSUPPORTED_OPERATION", "spot, volumes, snapshots and networks are not supported")
	case wanted != nil && *wanted != region:
		return nil, failure("INVALID_SPEC", "options.region: there is only the region %q", region)
	case !contains(specs, made.spec):
		return nil, failure("INVALID_SPEC", "options.spec: must be one of %v", specs)
	}
	if err := script.check(); err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, failure("PROVIDER_INTERNAL", "no random numbers")
	}
	made.id = "toy-" + hex.EncodeToString(random[:])

	c.mu.Lock()
	defer c.mu.Unlock()
	living := 0
	for _, one := range c.instances {
		if !one.ended {
			living++
		}
	}
	if living >= c.capacity {
		return nil, failure("CAPACITY_ERROR", "there is no room for another instance: try again later")
	}
	c.instances = append(c.instances, made)
	return c.value(made), nil
}

// readNetwork reads the network that an instance is to be put in, and says whether there is one.
func readNetwork(options *record) bool {
	network := options.inner("network_config", false)
	if network == nil {
		return false
	}
	network.maybeText("subnet_id", false)
	network.maybeText("vpc_id", false)
	readTexts(network, "security_group_ids")
	_ = network.end()
	return true
}

func readTexts(r *record, name string) []string {
	var found []string
	for _, item := range r.list(name, false) {
		one, ok := item.GetKind().(*providerv2.Value_StringValue)
		if !ok {
			r.refuse(name, "must be a list of texts")
			return nil
		}
		found = append(found, one.StringValue)
	}
	return found
}

func terminate(c *cloud, arguments *record) (*providerv2.Value, error) {
	id := arguments.text("provider_id")
	arguments.maybeText("region", false)
	if err := arguments.end(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.find(id)
	if one == nil {
		return nil, failure("NOT_FOUND", "there is no such instance")
	}
	one.ended = true
	return null(), nil
}

func get(c *cloud, arguments *record) (*providerv2.Value, error) {
	id := arguments.text("provider_id")
	arguments.maybeText("region", false)
	if err := arguments.end(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.find(id); one != nil {
		return c.value(one), nil
	}
	return null(), nil
}

func list(c *cloud, arguments *record) (*providerv2.Value, error) {
	filter := arguments.inner("filter", false)
	if filter == nil {
		filter = &record{known: map[string]bool{}, problem: arguments.problem}
	}
	wanted := readTexts(filter, "status")
	for _, state := range wanted {
		if !contains(statuses, state) {
			filter.refuse("status", "holds a word that is no status")
		}
	}
	spec, place := filter.maybeText("spec", false), filter.maybeText("region", false)
	tags := filter.texts("tags")
	limit := filter.maybeWhole("limit", false)
	terminated := filter.truth("include_terminated")
	if limit != nil && *limit < 0 {
		filter.refuse("limit", "must not be negative")
	}
	if err := firstOf(filter.end, arguments.end); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := []*providerv2.Value{}
	for _, one := range c.instances {
		state := c.state(one)
		switch {
		case limit != nil && int64(len(found)) >= *limit:
		case state == "terminated" && !terminated:
		case len(wanted) > 0 && !contains(wanted, state):
		case spec != nil && *spec != one.spec:
		case place != nil && *place != region:
		case !carries(one.tags, tags):
		default:
			found = append(found, c.value(one))
		}
	}
	return listOf(found...), nil
}

func carries(tags, wanted map[string]string) bool {
	for key, value := range wanted {
		if found, there := tags[key]; !there || found != value {
			return false
		}
	}
	return true
}

// living returns the ids of the instances that live, sorted, with their specs.
func (c *cloud) living() map[string]*instance {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make(map[string]*instance)
	for _, one := range c.instances {
		if !one.ended {
			found[one.id] = one
		}
	}
	return found
}

func contains(words []string, word string) bool {
	for _, one := range words {
		if one == word {
			return true
		}
	}
	return false
}

func firstOf(ends ...func() error) error {
	for _, end := range ends {
		if err := end(); err != nil {
			return err
		}
	}
	return nil
}

func sorted(ids map[string]bool) []*providerv2.Value {
	names := make([]string, 0, len(ids))
	for id := range ids {
		names = append(names, id)
	}
	sort.Strings(names)
	found := make([]*providerv2.Value, len(names))
	for at, name := range names {
		found[at] = text(name)
	}
	return found
}
