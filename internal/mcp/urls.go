package mcp

import (
	"context"
	"strconv"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// codeURLElicitation is the error of a server that cannot go on before URLs have
// been opened (spec 2025-11-25, client/elicitation#url-elicitation-required-error).
// No other revision has it.
const codeURLElicitation = -32042

// open asks for the URLs that a server wants to be opened. When all are
// accepted, the call is made again, once: whether the person is done behind them
// cannot be known, since the server need not tell. It returns the error that the
// call ends with, nil if it goes on.
func (r *rounds) open(ctx context.Context, required *jsonrpc.Error) error {
	questions := readURLs(required.Data)
	if r.session.era().version() != Version20251125 || !r.answers.ElicitationURL || len(questions) == 0 {
		return required
	}
	unopened := requiring(r.call.Method, questions...)
	if r.call.Manual || r.ask == nil || r.opened {
		return unopened
	}
	r.opened = true
	answers, err := r.session.askAll(ctx, r.ask, questions)
	switch {
	case ctx.Err() != nil:
		return gone(ctx)
	case err != nil:
		r.session.opts.Logger.Debug("question of the server not answered", "error", err)
		return unopened
	}
	for _, a := range answers {
		if action, _ := rawjson.String(rawjson.Get(a.Result, "action")); action != "accept" {
			return unopened
		}
	}
	return nil
}

// readURLs reads the questions of the error's data, nil if they make no sense.
func readURLs(data []byte) []Question {
	var questions []Question
	url := Capabilities{ElicitationURL: true}
	err := rawjson.Array(rawjson.Get(object(data), "elicitations"), func(v []byte) error {
		q := Question{Key: strconv.Itoa(len(questions)), Method: MethodElicitation, Params: v}
		if refusal := url.refuse(q); refusal != nil {
			return refusal
		}
		if len(questions) == maxQuestions {
			return errTooManyQuestions
		}
		questions = append(questions, q)
		return nil
	})
	if err != nil {
		return nil
	}
	return questions
}
