package pool_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A modern server is asked to report on the tasks that were begun, while
// somebody watches and until they have ended; a legacy one is not asked.
func TestFollowTasks(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{modern: modern, declares: everything}
				p := newPool(t, d, &pool.Server{}, pool.Options{})
				u := shared(t, p)
				begin := func(task string) {
					t.Helper()
					_, err := u.Do(t.Context(), false, func(_ context.Context, live *pool.Live) error {
						live.Follow(task)
						live.Follow(task)
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				last := func() string {
					asked := d.takeAsked()
					asked = slices.DeleteFunc(asked, func(a string) bool { return !strings.HasPrefix(a, "listen") })
					if len(asked) == 0 {
						return ""
					}
					_, tasks, _ := strings.Cut(asked[len(asked)-1], `"taskIds":`)
					return strings.TrimRight(tasks, "}")
				}
				want := func(tasks string) {
					t.Helper()
					if !modern {
						tasks = ""
					}
					if got := last(); got != tasks {
						t.Errorf("asked for %s, want %s", got, tasks)
					}
				}
				begin("b")
				want("")
				w := watch(t, u)
				synctest.Wait()
				want(`["b"]`)
				begin("a")
				want(`["a","b"]`)
				d.tell("notifications/tasks", `{"taskId":"a","status":"working"}`)
				d.tell("notifications/tasks", `{"taskId":"a","status":"completed"}`)
				if got := heard(t, w); got != "tasks tasks" {
					t.Errorf("heard %q", got)
				}
				begin("c")
				want(`["b","c"]`)
			})
		})
	}
}
