package main

import (
	"context"
	"net/url"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type roleResource struct{ withAPI }

type roleState struct {
	ID          types.String `tfsdk:"id"`
	Description types.String `tfsdk:"description"`
	Permissions types.Set    `tfsdk:"permissions"`
}

// roleBody is a role in the JSON of the service.
type roleBody struct {
	Description *string  `json:"description"`
	Permissions []string `json:"permissions"`
}

func (*roleResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "postern_role"
}

func (*roleResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Description: "Permissions under one name. A role that is destroyed grants nothing from then on.",
		Attributes: map[string]schema.Attribute{
			"id":          fixed("What keys name it by."),
			"description": schema.StringAttribute{Optional: true, Description: "What it is for."},
			"permissions": texts("What it grants; at most 100."),
		},
	}
}

func (r *roleResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	putPlan(ctx, req.Plan, &resp.State, &resp.Diagnostics, func(plan *roleState) {
		r.put(ctx, plan, &resp.Diagnostics)
	})
}

func (r *roleResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	putPlan(ctx, req.Plan, &resp.State, &resp.Diagnostics, func(plan *roleState) {
		r.put(ctx, plan, &resp.Diagnostics)
	})
}

func (r *roleResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	readState(ctx, req.State, &resp.State, &resp.Diagnostics, "role", func(state *roleState) error {
		var body roleBody
		err := r.api.call(ctx, "GET", rolePath(state.ID), nil, &body)
		if err == nil {
			state.take(body)
		}
		return err
	})
}

func (r *roleResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state roleState
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	err := r.api.call(ctx, "DELETE", rolePath(state.ID), nil, nil)
	if err != nil && !isMissing(err) {
		resp.Diagnostics.AddError("Cannot delete the role", err.Error())
	}
}

func (*roleResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

func (r *roleResource) put(ctx context.Context, plan *roleState, found *diag.Diagnostics) {
	asked := roleBody{Description: plan.Description.ValueStringPointer(), Permissions: textsOf(plan.Permissions)}
	var body roleBody
	if err := r.api.call(ctx, "PUT", rolePath(plan.ID), asked, &body); err != nil {
		found.AddError("Cannot put the role", err.Error())
		return
	}
	plan.take(body)
}

func (s *roleState) take(body roleBody) {
	s.Description = types.StringPointerValue(body.Description)
	s.Permissions = setOf(body.Permissions)
}

func rolePath(id types.String) string { return "/admin/roles/" + url.PathEscape(id.ValueString()) }
