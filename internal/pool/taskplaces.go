package pool

import (
	"context"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// maxTaskPlaces bounds the tasks of one upstream whose session is remembered.
const maxTaskPlaces = 1000

// taskKey is the context's key of a task.
type taskKey struct{}

// OnTask returns a context for calls that are about that task. They run on the
// session that has begun it, while that is there.
func OnTask(ctx context.Context, task string) context.Context {
	return context.WithValue(ctx, taskKey{}, task)
}

// taskPlaces say in which sessions tasks were begun: a legacy server knows a
// task in its own session only. The zero value is ready for use, by one goroutine
// at a time.
type taskPlaces struct {
	generations map[string]int64
	// order is that in which the tasks were begun.
	order []string
}

func (p *taskPlaces) note(task string, generation int64) {
	if p.generations == nil {
		p.generations = make(map[string]int64)
	}
	if _, known := p.generations[task]; !known {
		p.order = append(p.order, task)
	}
	p.generations[task] = generation
	if len(p.order) > maxTaskPlaces {
		delete(p.generations, p.order[0])
		p.order = p.order[1:]
	}
}

// of returns the generation of the session that a call belongs to, 0 if it may
// run on any.
func (p *taskPlaces) of(ctx context.Context) int64 {
	if generation, ok := ctx.Value(generationKey{}).(int64); ok {
		return generation
	}
	if len(p.order) == 0 {
		return 0
	}
	task, _ := ctx.Value(taskKey{}).(string)
	return p.generations[task]
}

// place notes where a task was begun, if there are several sessions that it could
// be looked for in.
func (u *Upstream) place(task string, l *Live) {
	if u.max == 1 || l.Info().Era != mcp.EraLegacy {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.places.note(task, l.Generation)
}
