package mcp

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// maxPollFailures bounds the looks at a task that fail in a row.
const maxPollFailures = 3

// taskCancelTimeout bounds how long a server may take over the cancellation of a
// task whose caller has gone.
const taskCancelTimeout = 5 * time.Second

// A pursuit follows the task of a call to its end.
type pursuit struct {
	*Session
	call *Call
	life *life
	*following
	// task is how it stood last.
	task *Task
	// ask is who is asked, nil if there is nobody.
	ask Ask
	// answers is what a modern server was told that the call's caller answers,
	// answered the keys of the questions that it has got answers to.
	answers  Capabilities
	answered map[string]bool
	// failures counts the looks that failed in a row.
	failures int
}

// pursue follows the task of a call to its end. If ctx ends first, or the call
// because nobody answers what the task asks, the task is cancelled.
func (s *Session) pursue(ctx context.Context, c *Call, l *life, task *Task) (*Result, error) {
	f, leave := s.tasks.follow(task.ID, l.call)
	defer leave()
	p := &pursuit{
		Session: s, call: c, life: l, following: f, task: task,
		ask: s.profile.Ask, answers: s.profile.Capabilities, answered: make(map[string]bool),
	}
	if c.Ask != nil {
		p.ask = c.Ask
	}
	if c.Capabilities != nil {
		p.answers = *c.Capabilities
	}
	result, err := p.run(ctx)
	var required *InputRequiredError
	var te *transport.Error
	switch {
	case err == nil:
		return result, nil
	case errors.As(err, &te) && te.Kind == transport.KindCanceled:
		s.giveUp(task.ID)
		return nil, unanswered(ctx, err)
	case errors.As(err, &required):
		s.giveUp(task.ID)
	}
	return nil, err
}

// giveUp has a task cancelled that nobody follows any more, without waiting for
// that.
func (s *Session) giveUp(id string) {
	if s.era().kind() == EraLegacy && !s.declaresTasks("cancel") {
		return
	}
	s.spawn(func() {
		ctx, done := context.WithTimeout(context.Background(), taskCancelTimeout)
		defer done()
		if _, err := s.once(ctx, taskCall(methodTasksCancel, id, nil)); err != nil {
			s.opts.Logger.Debug("task not cancelled", "error", err)
		}
	})
}

// run looks at the task until it has ended.
func (p *pursuit) run(ctx context.Context) (*Result, error) {
	// How a task stands that has only just begun is known; a modern server's has
	// no outcome before it was asked for.
	look := p.era().kind() == EraModern && p.task.Status != TaskWorking
	for {
		if look {
			if err := p.look(ctx); err != nil {
				return nil, err
			}
		}
		result, err := p.act(ctx)
		if result != nil || err != nil {
			return result, err
		}
		p.wait(ctx, p.Session, p.task.pause())
		if ctx.Err() != nil {
			return nil, canceled(ctx)
		}
		look = true
	}
}

// look asks the server how the task stands. It stands as before if that failed
// in a way that may pass.
func (p *pursuit) look(ctx context.Context) error {
	c := taskCall(methodTasksGet, p.id, nil)
	c.Capabilities = p.call.Capabilities
	task, err := p.getTask(ctx, c)
	if err != nil {
		return p.bear(ctx, err)
	}
	p.task, p.failures = task, 0
	return nil
}

// bear returns the error that the call ends with after a request about the task
// has failed; nil if it may be made again.
func (p *pursuit) bear(ctx context.Context, err error) error {
	var te *transport.Error
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if errors.As(err, &te) && passing(te.Kind) && p.alive() && p.failures < maxPollFailures {
		p.failures++
		p.opts.Logger.Debug("task not looked at", "error", err)
		return nil
	}
	return lostTask(p.id, err)
}

// passing reports whether a failure of that kind leaves the session as it is.
func passing(k transport.Kind) bool {
	return k == transport.KindLost || k == transport.KindUnreachable || k == transport.KindStatus
}

// act does what the state of the task calls for. It returns the result of the
// call or its error if the task has ended, and neither if it goes on.
func (p *pursuit) act(ctx context.Context) (*Result, error) {
	if p.task.Status == TaskCancelled {
		return nil, &TaskEndedError{p.task}
	}
	if p.era().kind() == EraLegacy {
		if p.task.Status == TaskInputRequired || p.task.Ended() {
			return p.fetch(ctx)
		}
		return nil, nil
	}
	switch {
	case p.task.Status == TaskInputRequired:
		return nil, p.answer(ctx)
	case !p.task.Ended():
		return nil, nil
	case p.task.Status == TaskCompleted && p.task.Result != nil:
		return &Result{JSON: p.task.Result}, nil
	case p.task.Error != nil:
		return nil, p.task.Error
	}
	return nil, &TaskEndedError{p.task}
}

// fetch gets the result of a legacy server's task. If that needs input, it waits
// until the task has ended: "When the requestor encounters the input_required
// status, it SHOULD preemptively call tasks/result", whose stream the questions
// come on (spec 2025-11-25, basic/utilities/tasks).
func (p *pursuit) fetch(ctx context.Context) (*Result, error) {
	c := taskCall(methodTasksResult, p.id, nil)
	c.life = p.life
	result, err := p.once(ctx, c)
	var te *transport.Error
	var invalid *ResultError
	if errors.As(err, &te) || errors.As(err, &invalid) {
		return nil, p.bear(ctx, err)
	}
	return result, err
}

// answer answers the questions of a modern server's task that it has no answers
// to yet: "Clients SHOULD deduplicate inputRequests keys across consecutive
// polls" (SEP-2663).
func (p *pursuit) answer(ctx context.Context) error {
	all, err := p.task.questions()
	if err != nil {
		return lostTask(p.id, err)
	}
	var questions []Question
	for _, q := range all {
		if !p.answered[q.Key] {
			questions = append(questions, q)
		}
	}
	if len(questions) == 0 {
		return nil
	}
	required := requiring(p.call.Method, questions...)
	required.Over = true
	if p.ask == nil {
		return required
	}
	for _, q := range questions {
		if refusal := p.answers.refuse(q); refusal != nil {
			p.opts.Logger.Debug("question of a task refused", "method", cut(q.Method, 100), "error", refusal)
			return required
		}
	}
	answers, err := p.askAll(ctx, p.ask, questions)
	switch {
	case ctx.Err() != nil:
		return canceled(ctx)
	case err != nil:
		p.opts.Logger.Debug("question of a task not answered", "error", err)
		return required
	}
	return p.update(ctx, questions, answers)
}

// update hands over answers, more than once if need be: the server ignores those
// that it has.
func (p *pursuit) update(ctx context.Context, questions []Question, answers []Answer) error {
	c := updateCall(p.id, responses(questions, answers), nil)
	c.Capabilities = p.call.Capabilities
	for {
		_, err := p.once(ctx, c)
		if err == nil {
			p.failures = 0
			for _, q := range questions {
				p.answered[q.Key] = true
			}
			return nil
		}
		if err := p.bear(ctx, err); err != nil {
			return err
		}
		p.wait(ctx, p.Session, p.task.pause())
	}
}

// wait waits for that long, or until the task may have something new, ctx ends
// or the session does.
func (f *following) wait(ctx context.Context, s *Session, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.wake:
	case <-s.Done():
	case <-ctx.Done():
	}
}
