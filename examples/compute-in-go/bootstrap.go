package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"example.com/compute-in-go/internal/providerv2"
)

type feature struct {
	name, version string
	config        map[string]string
}

// bootstrap is what an instance runs first.
type bootstrap struct {
	agentURL, controlPlaneURL, token string
	script, checksum                 *string
	features                         []feature
	environment                      map[string]string
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	install  = map[string]string{
		"tailscale": "curl -fsSL https://tailscale.com/install.sh -o tailscale.sh && sh tailscale.sh",
		"docker":    "apt-get install -y docker.io",
	}
)

func readBootstrap(r *record, name string) *bootstrap {
	cfg := r.inner(name, true)
	if cfg == nil {
		return &bootstrap{}
	}
	read := &bootstrap{
		agentURL:        cfg.text("agent_url"),
		controlPlaneURL: cfg.text("control_plane_url"),
		token:           cfg.text("registration_token"),
		script:          cfg.maybeText("init_script", false),
		checksum:        cfg.maybeText("init_checksum", false),
		environment:     cfg.texts("environment"),
	}
	for at, item := range cfg.list("features", false) {
		inner := cfg.item(fmt.Sprintf("features[%d]", at), item)
		read.features = append(read.features, feature{
			name:    inner.word("name", true, "tailscale", "nvidia-driver", "cuda", "docker"),
			version: valueOf(inner.maybeText("version", false)),
			config:  inner.texts("config"),
		})
		_ = inner.end()
	}
	_ = cfg.end()
	return read
}

// check refuses what no script can hold. Messages name the place, not the value.
func (b *bootstrap) check() error {
	for name, value := range b.environment {
		if !variable.MatchString(name) {
			return failure("INVALID_SPEC", "environment: a name is none that a variable can have")
		}
		if strings.Contains(value, "\x00") {
			return failure("INVALID_SPEC", "environment: a value holds a NUL character")
		}
	}
	for _, text := range []string{b.agentURL, b.controlPlaneURL, b.token, valueOf(b.script)} {
		if strings.Contains(text, "\x00") {
			return failure("INVALID_SPEC", "bootstrap: a value holds a NUL character")
		}
	}
	if b.script != nil && b.checksum != nil && *b.checksum != checksum(*b.script) {
		return failure("INVALID_SPEC", "init_checksum: is not that of init_script")
	}
	for _, one := range b.features {
		if install[one.name] == "" {
			return failure("UNSUPPORTED_OPERATION", "features: this provider has no GPU")
		}
		for key, value := range one.config {
			if strings.Contains(key+value, "\x00") {
				return failure("INVALID_SPEC", "features: a setting holds a NUL character")
			}
		}
		if strings.Contains(one.version, "\x00") {
			return failure("INVALID_SPEC", "features: a version holds a NUL character")
		}
	}
	return nil
}

// quoted makes a text one word of a shell: nothing in single quotes is read.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'"
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keys(table map[string]string) []string {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func generateBootstrap(_ *cloud, arguments *record) (*providerv2.Value, error) {
	cfg := readBootstrap(arguments, "cfg")
	if err := arguments.end(); err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	content := cfg.shell()
	return mapOf(map[string]*providerv2.Value{
		"content": text(content), "format": text("shell"), "checksum": text(checksum(content)),
	}), nil
}

// shell writes the script. Every value stands in single quotes, the user's script
// too: there is no heredoc that it could close.
func (b *bootstrap) shell() string {
	lines := []string{"#!/bin/sh", "set -eu", "umask 077"}
	for _, name := range keys(b.environment) {
		lines = append(lines, "export "+name+"="+quoted(b.environment[name]))
	}
	lines = append(lines, `cd "$(mktemp -d)"`)
	for _, one := range b.features {
		lines = append(lines, ": feature "+quoted(one.name)+" "+quoted(one.version))
		for _, key := range keys(one.config) {
			lines = append(lines, ": with "+quoted(key)+" "+quoted(one.config[key]))
		}
		lines = append(lines, install[one.name])
	}
	lines = append(lines, "curl -fsSL -o agent -- "+quoted(b.agentURL), "chmod 0700 agent")
	if b.script != nil {
		lines = append(lines, "printf '%s' "+quoted(*b.script)+" > init.sh", "sh ./init.sh")
	}
	return strings.Join(append(lines,
		"NOMOS_CONTROL_PLANE="+quoted(b.controlPlaneURL)+` \`,
		"NOMOS_REGISTRATION_TOKEN="+quoted(b.token)+` \`,
		"./agent", ""), "\n")
}
