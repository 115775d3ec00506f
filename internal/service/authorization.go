package service

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
)

// Authorizations are what persons have been asked to consent to.
type Authorizations interface {
	// Complete ends one of the principal's, and returns what waited for it. It
	// fails with [oauth.ErrNotFound], or with [oauth.RefusedError].
	Complete(ctx context.Context, principal, redirectURL string) (target string, err error)
}

// CompleteAuthorization implements McpServiceServer.
func (s *Service) CompleteAuthorization(
	ctx context.Context, req *mcpbridgev1.CompleteAuthorizationRequest,
) (*mcpbridgev1.CompleteAuthorizationResponse, error) {
	if err := required("redirect_url", req.GetRedirectUrl()); err != nil {
		return nil, err
	}
	if s.opts.Authorizations == nil {
		return nil, oauth.ErrNotFound
	}
	target, err := s.opts.Authorizations.Complete(ctx, auth.FromContext(ctx).ID, req.GetRedirectUrl())
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.CompleteAuthorizationResponse{Target: target}, nil
}

// waits names what waits, if err says that a person has to consent first.
func waits(err error, target string) {
	var consent *oauth.RequiredError
	if errors.As(err, &consent) {
		consent.SetTarget(target)
	}
}

// consentMessage says what a person has to do.
func consentMessage(e *oauth.RequiredError) *mcpbridgev1.AuthorizationRequired {
	return &mcpbridgev1.AuthorizationRequired{
		Target: e.Target(), AuthorizationUrl: e.URL, ExpireTime: timestamppb.New(e.Expires), Scopes: e.Scopes,
	}
}

// authorizationError: the server wants a token that is not to be had, at least
// not without a person.
func authorizationError(err error) (verdict, bool) {
	var consent *oauth.RequiredError
	var refused *oauth.RefusedError
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return verdict{
			code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_AUTHORIZATION_NOT_FOUND, message: oauth.ErrNotFound.Error(),
		}, true
	case errors.As(err, &consent):
		return verdict{
			code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_AUTHORIZATION_REQUIRED, message: consent.Error(),
			details: []protoadapt.MessageV1{protoadapt.MessageV1Of(consentMessage(consent))},
		}, true
	case errors.As(err, &refused):
		message := refused.Problem
		if refused.Code != "" {
			message += ": " + refused.Code
		}
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_UPSTREAM_AUTH, message: message}, true
	}
	return verdict{}, false
}
