package main

import (
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/group"
)

// configuredGroups are the groups of the configuration.
func configuredGroups(cfg *config.Config) (map[string]group.Spec, error) {
	modes := map[string]group.Mode{
		config.GroupAlways: group.Always, config.GroupNever: group.Never, config.GroupOnConflict: group.OnConflict,
	}
	specs := make(map[string]group.Spec, len(cfg.Groups))
	for name, g := range cfg.Groups {
		spec := group.Spec{
			Naming:     group.Naming{Template: g.Template, Mode: modes[g.Mode], ModelSafe: g.ModelSafe},
			FailClosed: g.FailClosed,
		}
		if err := spec.Naming.Check(); err != nil {
			return nil, fmt.Errorf("groups.%s.template: %q %w", name, g.Template, err)
		}
		for _, m := range g.Members {
			spec.Members = append(spec.Members, group.Member{Name: m.Name, Target: "servers/" + m.Server})
		}
		specs[name] = spec
	}
	return specs, nil
}
