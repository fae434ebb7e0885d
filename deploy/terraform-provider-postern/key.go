package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type keyResource struct{ withAPI }

type keyState struct {
	ID              types.String `tfsdk:"id"`
	SHA256          types.String `tfsdk:"sha256"`
	SecretWO        types.String `tfsdk:"secret_wo"`
	SecretWOVersion types.Int64  `tfsdk:"secret_wo_version"`
	Name            types.String `tfsdk:"name"`
	Scheme          types.String `tfsdk:"scheme"`
	Environment     types.String `tfsdk:"environment"`
	Owner           types.String `tfsdk:"owner"`
	Permissions     types.Set    `tfsdk:"permissions"`
	Roles           types.Set    `tfsdk:"roles"`
	IPAllowlist     types.Set    `tfsdk:"ip_allowlist"`
	Principals      types.Set    `tfsdk:"principals"`
	ExpiresAt       types.String `tfsdk:"expires_at"`
	Plan            types.String `tfsdk:"plan"`
	Labels          types.Map    `tfsdk:"labels"`
	ExternalID      types.String `tfsdk:"external_id"`
	State           types.String `tfsdk:"state"`
}

// keyBody is what of a key may be changed, in the JSON of the service.
type keyBody struct {
	Name        string            `json:"name"`
	Permissions []string          `json:"permissions"`
	Roles       []string          `json:"roles"`
	IPAllowlist []string          `json:"ip_allowlist"`
	Principals  []string          `json:"principals"`
	ExpiresAt   *string           `json:"expires_at,omitempty"`
	Plan        *string           `json:"plan"`
	Labels      map[string]string `json:"labels"`
	ExternalID  *string           `json:"external_id"`
}

type newKeyBody struct {
	keyBody
	SHA256      string  `json:"sha256"`
	Scheme      *string `json:"scheme,omitempty"`
	Environment *string `json:"environment,omitempty"`
	Owner       *string `json:"owner,omitempty"`
}

type keyAnswer struct {
	keyBody
	ID          string  `json:"id"`
	Scheme      string  `json:"scheme"`
	Environment string  `json:"environment"`
	Owner       *string `json:"owner"`
	State       string  `json:"state"`
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

const anotherDigest = "Another secret is another key. What was imported has no digest yet, and takes the one that is given."

func isAnotherDigest(_ context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
	resp.RequiresReplace = !req.StateValue.IsNull() && !req.ConfigValue.IsNull()
}

func isAnotherVersion(_ context.Context, req planmodifier.Int64Request, resp *int64planmodifier.RequiresReplaceIfFuncResponse) {
	resp.RequiresReplace = !req.StateValue.IsNull()
}

func (*keyResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "postern_key"
}

func (*keyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Description: description}
	}
	resp.Schema = schema.Schema{
		Description: "A key by the digest of its secret, which is made elsewhere and is in no state and no plan. Destroying it revokes it.",
		Attributes: map[string]schema.Attribute{
			"id": told("The id of the key, `key_…`."),
			"sha256": schema.StringAttribute{
				Optional:    true,
				Computed:    true,
				Description: "SHA-256 of the whole secret, 64 lower-case hexadecimal digits. Either this or secret_wo.",
				PlanModifiers: []planmodifier.String{
					stringplanmodifier.RequiresReplaceIf(isAnotherDigest, anotherDigest, anotherDigest),
					stringplanmodifier.UseStateForUnknown(),
				},
			},
			"secret_wo": schema.StringAttribute{
				Optional:    true,
				Sensitive:   true,
				WriteOnly:   true,
				Description: "The whole secret, of which the digest alone is sent and kept: from an ephemeral resource, say. Terraform 1.11, OpenTofu 1.11 or newer.",
			},
			"secret_wo_version": schema.Int64Attribute{
				Optional:      true,
				Description:   "Change it to have another secret_wo taken: the key is replaced.",
				PlanModifiers: []planmodifier.Int64{int64planmodifier.RequiresReplaceIf(isAnotherVersion, anotherDigest, anotherDigest)},
			},
			"name":         schema.StringAttribute{Required: true, Description: "What people call it."},
			"scheme":       chosen("The configured scheme whose form the secret has. Absent: the service's first."),
			"environment":  chosen("An environment of that scheme. Absent: the one that the service serves."),
			"owner":        chosen("Whom it belongs to. Absent: nobody, or the owner of the admin key."),
			"permissions":  texts("What it may do."),
			"roles":        texts("Ids of roles, which grant theirs besides."),
			"ip_allowlist": texts("Addresses and CIDR ranges that may use it. Empty: all."),
			"principals":   texts("SPIFFE URIs and DNS names of callers that may use it. Empty: all."),
			"expires_at": schema.StringAttribute{
				Optional:      true,
				Computed:      true,
				Description:   "When it ends, RFC 3339. Absent: never, or as the rules for keys say; once it is set it can be moved.",
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"plan":        text("A configured plan, whose limits hold."),
			"labels":      labels(),
			"external_id": text("What your own system calls it."),
			"state": schema.StringAttribute{
				Computed:    true,
				Description: "`active`, `disabled` or `expired`. A revoked key is as if it were gone.",
			},
		},
	}
}

func (*keyResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var said keyState
	resp.Diagnostics.Append(req.Config.Get(ctx, &said)...)
	if resp.Diagnostics.HasError() {
		return
	}
	digest := said.SHA256
	switch {
	case !digest.IsNull() && !said.SecretWO.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("sha256"), "One of the two",
			"Give sha256 or secret_wo, not both.")
	case digest.IsNull() && said.SecretWO.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("sha256"), "A secret has to be made elsewhere",
			"Give sha256, the digest of it, or secret_wo, of which the digest alone is kept.")
	case !digest.IsNull() && !digest.IsUnknown() && !digestForm.MatchString(digest.ValueString()):
		resp.Diagnostics.AddAttributeError(path.Root("sha256"), "Not a SHA-256",
			"Write its 32 bytes as 64 lower-case hexadecimal digits, as sha256sum does.")
	}
}

func (r *keyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, said keyState
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &said)...)
	if resp.Diagnostics.HasError() {
		return
	}
	digest := said.SHA256.ValueString()
	if !said.SecretWO.IsNull() {
		sum := sha256.Sum256([]byte(said.SecretWO.ValueString()))
		digest = hex.EncodeToString(sum[:])
	}
	asked := newKeyBody{
		keyBody:     plan.body(),
		SHA256:      digest,
		Scheme:      said.Scheme.ValueStringPointer(),
		Environment: said.Environment.ValueStringPointer(),
		Owner:       said.Owner.ValueStringPointer(),
	}
	var made keyAnswer
	if err := r.api.call(ctx, "POST", "/admin/api-keys", asked, &made); err != nil {
		addKeyError(&resp.Diagnostics, "Cannot make the key", err)
		return
	}
	plan.take(made)
	plan.SHA256 = types.StringValue(digest)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func (r *keyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state keyState
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var found keyAnswer
	err := r.api.call(ctx, "GET", keyPath(state.ID), nil, &found)
	if isMissing(err) || found.State == "revoked" {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot read the key", err.Error())
		return
	}
	state.take(found)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

func (r *keyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state keyState
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var changed keyAnswer
	if err := r.api.call(ctx, "PATCH", keyPath(state.ID), plan.body(), &changed); err != nil {
		addKeyError(&resp.Diagnostics, "Cannot change the key", err)
		return
	}
	plan.take(changed)
	if !state.SHA256.IsNull() {
		plan.SHA256 = state.SHA256
	} else if plan.SHA256.IsUnknown() {
		plan.SHA256 = types.StringNull()
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func (r *keyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state keyState
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	err := r.api.call(ctx, "DELETE", keyPath(state.ID), nil, nil)
	if err != nil && !isMissing(err) {
		resp.Diagnostics.AddError("Cannot revoke the key", err.Error())
	}
}

func (*keyResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

func addKeyError(found *diag.Diagnostics, summary string, err error) {
	refused, ok := err.(*apiError)
	if ok && refused.Details.Reason == "KEY_EXISTS" {
		found.AddAttributeError(path.Root("sha256"), summary, refused.Message+
			" Give it another secret, or take the key over: terraform import ADDRESS key_…")
		return
	}
	found.AddError(summary, err.Error())
}

func (s *keyState) body() keyBody {
	return keyBody{
		Name:        s.Name.ValueString(),
		Permissions: textsOf(s.Permissions),
		Roles:       textsOf(s.Roles),
		IPAllowlist: textsOf(s.IPAllowlist),
		Principals:  textsOf(s.Principals),
		ExpiresAt:   knownText(s.ExpiresAt),
		Plan:        s.Plan.ValueStringPointer(),
		Labels:      labelsOf(s.Labels),
		ExternalID:  s.ExternalID.ValueStringPointer(),
	}
}

func (s *keyState) take(key keyAnswer) {
	s.ID = types.StringValue(key.ID)
	s.SecretWO = types.StringNull()
	s.Name = types.StringValue(key.Name)
	s.Scheme = types.StringValue(key.Scheme)
	s.Environment = types.StringValue(key.Environment)
	s.Owner = types.StringPointerValue(key.Owner)
	s.Permissions = setOf(key.Permissions)
	s.Roles = setOf(key.Roles)
	s.IPAllowlist = setOf(key.IPAllowlist)
	s.Principals = setOf(key.Principals)
	s.ExpiresAt = timeOf(s.ExpiresAt, key.ExpiresAt)
	s.Plan = types.StringPointerValue(key.Plan)
	s.Labels = mapOf(key.Labels)
	s.ExternalID = types.StringPointerValue(key.ExternalID)
	s.State = types.StringValue(key.State)
}

// knownText is nil for what is absent and for what only the service will know.
func knownText(text types.String) *string {
	if text.IsUnknown() {
		return nil
	}
	return text.ValueStringPointer()
}

func keyPath(id types.String) string { return "/admin/api-keys/" + url.PathEscape(id.ValueString()) }
