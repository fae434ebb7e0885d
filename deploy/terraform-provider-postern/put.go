package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
)

// putPlan makes a thing what the plan says, whether or not it is there: for what one PUT replaces whole.
func putPlan[S any](ctx context.Context, planned tfsdk.Plan, state *tfsdk.State, found *diag.Diagnostics, put func(*S)) {
	var plan S
	found.Append(planned.Get(ctx, &plan)...)
	if found.HasError() {
		return
	}
	put(&plan)
	if !found.HasError() {
		found.Append(state.Set(ctx, &plan)...)
	}
}

// readState brings the state to what the service says, and removes what is there no more.
func readState[S any](ctx context.Context, known tfsdk.State, state *tfsdk.State, found *diag.Diagnostics, what string, read func(*S) error) {
	var current S
	found.Append(known.Get(ctx, &current)...)
	if found.HasError() {
		return
	}
	err := read(&current)
	if isMissing(err) {
		state.RemoveResource(ctx)
		return
	}
	if err != nil {
		found.AddError("Cannot read the "+what, err.Error())
		return
	}
	found.Append(state.Set(ctx, &current)...)
}
