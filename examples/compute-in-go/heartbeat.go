package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/compute-in-go/internal/providerv2"
)

type task struct {
	kind   string
	params *record // nil where there are none
}

// heartbeat does the tasks that it knows and hands over a receipt for each.
func heartbeat(c *cloud, arguments *record) (*providerv2.Value, error) {
	expectations := arguments.inner("expectations", true)
	if expectations == nil {
		return nil, arguments.end()
	}
	deadline := valueOf(expectations.maybeWhole("deadline", true))
	var tasks []task
	for at, item := range expectations.list("tasks", true) {
		inner := expectations.item(fmt.Sprintf("tasks[%d]", at), item)
		tasks = append(tasks, task{kind: inner.text("type"), params: inner.inner("params", false)})
		inner.word("priority", false, "high", "normal", "low")
		inner.maybeWhole("last_run", false)
		_ = inner.end()
	}
	if err := firstOf(expectations.end, arguments.end); err != nil {
		return nil, err
	}
	receipts := make([]*providerv2.Value, 0, len(tasks))
	for _, one := range tasks {
		receipts = append(receipts, c.receipt(one, deadline))
	}
	return mapOf(map[string]*providerv2.Value{"receipts": listOf(receipts...)}), nil
}

func (c *cloud) receipt(one task, deadline int64) *providerv2.Value {
	switch {
	case one.kind != "health_check" && one.kind != "reconcile_instances":
		return without(one, "skipped", "this provider has no such task")
	case time.Now().UnixMilli() >= deadline:
		return without(one, "deferred", "the deadline has passed")
	case one.kind == "health_check":
		result := map[string]*providerv2.Value{"instances": whole(int64(len(c.living())))}
		return completed(one, result)
	}
	result, reason := c.reconcile(one.params)
	if reason != "" {
		return without(one, "failed", reason)
	}
	return completed(one, result)
}

func without(one task, status, reason string) *providerv2.Value {
	return mapOf(map[string]*providerv2.Value{"type": text(one.kind), "status": text(status), "reason": text(reason)})
}

func completed(one task, result map[string]*providerv2.Value) *providerv2.Value {
	return mapOf(map[string]*providerv2.Value{
		"type": text(one.kind), "status": text("completed"), "result": mapOf(result),
	})
}

// reconcile compares records, maps with an id and any further fields, with the
// instances that live.
func (c *cloud) reconcile(params *record) (map[string]*providerv2.Value, string) {
	missing, extra, changed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	living := c.living()
	for id := range living {
		extra[id] = true
	}
	if params == nil {
		params = &record{}
	}
	expected := params.fields["expected"]
	if expected != nil && expected.GetListValue() == nil {
		return nil, "expected: must be a list"
	}
	for _, item := range expected.GetListValue().GetValues() {
		fields := item.GetMapValue().GetFields()
		id := fields["id"].GetStringValue()
		if id == "" {
			return nil, "expected: each record has an id"
		}
		one, there := living[id]
		if !there {
			missing[id] = true
			continue
		}
		delete(extra, id)
		if c.differs(one, fields) {
			changed[id] = true
		}
	}
	return map[string]*providerv2.Value{
		"missing": listOf(sorted(missing)...), "extra": listOf(sorted(extra)...), "changed": listOf(sorted(changed)...),
	}, ""
}

func (c *cloud) differs(one *instance, record map[string]*providerv2.Value) bool {
	actual := c.value(one).GetMapValue().GetFields()
	for _, name := range []string{"status", "spec", "region", "created_at", "is_spot"} {
		if wanted := record[name]; wanted != nil && !proto.Equal(wanted, actual[name]) {
			if _, isNull := wanted.GetKind().(*providerv2.Value_NullValue); !isNull {
				return true
			}
		}
	}
	return false
}
