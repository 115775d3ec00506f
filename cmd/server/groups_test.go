package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/group"
)

func TestConfiguredGroups(t *testing.T) {
	t.Parallel()
	members := []config.GroupMember{{Name: "fs", Server: "files"}}
	cfg := &config.Config{Groups: map[string]config.Group{
		"all": {Members: members, Template: "{name}@{server}", Mode: config.GroupOnConflict, ModelSafe: true, FailClosed: true},
	}}
	got, err := configuredGroups(cfg)
	want := map[string]group.Spec{"all": {
		Naming:     group.Naming{Template: "{name}@{server}", Mode: group.OnConflict, ModelSafe: true},
		Members:    []group.Member{{Name: "fs", Target: "servers/files"}},
		FailClosed: true,
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("groups are %+v, %v, want %+v", got, err, want)
	}
	cfg.Groups["bad"] = config.Group{Members: members, Template: "{server}"}
	if _, err := configuredGroups(cfg); err == nil || !strings.Contains(err.Error(), `groups.bad.template: "{server}" has no {name}`) {
		t.Errorf("a template without a name: %v", err)
	}
}
