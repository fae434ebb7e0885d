package main

import (
	"context"
	"net/url"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type ownerResource struct{ withAPI }

type ownerState struct {
	ID            types.String `tfsdk:"id"`
	Name          types.String `tfsdk:"name"`
	Contact       types.String `tfsdk:"contact"`
	Plan          types.String `tfsdk:"plan"`
	ActiveUntil   types.String `tfsdk:"active_until"`
	Suspended     types.Bool   `tfsdk:"suspended"`
	Labels        types.Map    `tfsdk:"labels"`
	BillingAnchor types.String `tfsdk:"billing_anchor"`
	KeysMax       types.Int64  `tfsdk:"keys_max"`
}

// ownerBody is an owner in the JSON of the service.
type ownerBody struct {
	Name          *string           `json:"name"`
	Contact       *string           `json:"contact"`
	Plan          *string           `json:"plan"`
	ActiveUntil   *string           `json:"active_until"`
	Suspended     bool              `json:"suspended"`
	Labels        map[string]string `json:"labels"`
	BillingAnchor *string           `json:"billing_anchor"`
	KeysMax       *int64            `json:"keys_max"`
}

func (*ownerResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "postern_owner"
}

func (*ownerResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Description: description}
	}
	resp.Schema = schema.Schema{
		Description: "Whom keys belong to. Destroying it leaves the owner as it is: its keys would be judged as those of an active one.",
		Attributes: map[string]schema.Attribute{
			"id":             fixed("What the owner is called everywhere."),
			"name":           text("What people call it."),
			"contact":        text("Whom to write to."),
			"plan":           text("A configured plan, whose limits hold for its keys."),
			"active_until":   text("When its subscription ends, RFC 3339."),
			"suspended":      schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(false), Description: "Whether its keys are denied."},
			"labels":         labels(),
			"billing_anchor": text("What its periods are counted from, RFC 3339."),
			"keys_max":       schema.Int64Attribute{Optional: true, Description: "How many keys it may have."},
		},
	}
}

func (r *ownerResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	putPlan(ctx, req.Plan, &resp.State, &resp.Diagnostics, func(plan *ownerState) {
		r.put(ctx, plan, &resp.Diagnostics)
	})
}

func (r *ownerResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	putPlan(ctx, req.Plan, &resp.State, &resp.Diagnostics, func(plan *ownerState) {
		r.put(ctx, plan, &resp.Diagnostics)
	})
}

func (r *ownerResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	readState(ctx, req.State, &resp.State, &resp.Diagnostics, "owner", func(state *ownerState) error {
		var body ownerBody
		err := r.api.call(ctx, "GET", ownerPath(state.ID), nil, &body)
		if err == nil {
			state.take(body)
		}
		return err
	})
}

func (*ownerResource) Delete(_ context.Context, _ resource.DeleteRequest, resp *resource.DeleteResponse) {
	resp.Diagnostics.AddWarning("The owner stays",
		"Postern keeps owners. To stop its keys, set suspended = true before you take it out, or revoke them.")
}

func (*ownerResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

func (r *ownerResource) put(ctx context.Context, plan *ownerState, found *diag.Diagnostics) {
	var body ownerBody
	if err := r.api.call(ctx, "PUT", ownerPath(plan.ID), plan.body(), &body); err != nil {
		found.AddError("Cannot put the owner", err.Error())
		return
	}
	plan.take(body)
}

func (s *ownerState) body() ownerBody {
	return ownerBody{
		Name:          s.Name.ValueStringPointer(),
		Contact:       s.Contact.ValueStringPointer(),
		Plan:          s.Plan.ValueStringPointer(),
		ActiveUntil:   s.ActiveUntil.ValueStringPointer(),
		Suspended:     s.Suspended.ValueBool(),
		Labels:        labelsOf(s.Labels),
		BillingAnchor: s.BillingAnchor.ValueStringPointer(),
		KeysMax:       s.KeysMax.ValueInt64Pointer(),
	}
}

func (s *ownerState) take(body ownerBody) {
	s.Name = types.StringPointerValue(body.Name)
	s.Contact = types.StringPointerValue(body.Contact)
	s.Plan = types.StringPointerValue(body.Plan)
	s.ActiveUntil = timeOf(s.ActiveUntil, body.ActiveUntil)
	s.Suspended = types.BoolValue(body.Suspended)
	s.Labels = mapOf(body.Labels)
	s.BillingAnchor = timeOf(s.BillingAnchor, body.BillingAnchor)
	s.KeysMax = types.Int64PointerValue(body.KeysMax)
}

func ownerPath(id types.String) string { return "/admin/owners/" + url.PathEscape(id.ValueString()) }
