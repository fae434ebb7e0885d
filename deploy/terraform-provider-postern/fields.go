package main

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// texts is a set of strings that is empty where nothing is said.
func texts(description string) schema.SetAttribute {
	return schema.SetAttribute{
		ElementType: types.StringType,
		Optional:    true,
		Computed:    true,
		Default:     setdefault.StaticValue(types.SetValueMust(types.StringType, []attr.Value{})),
		Description: description,
	}
}

func labels() schema.MapAttribute {
	return schema.MapAttribute{
		ElementType: types.StringType,
		Optional:    true,
		Computed:    true,
		Default:     mapdefault.StaticValue(types.MapValueMust(types.StringType, map[string]attr.Value{})),
		Description: "Free-form, for the operator.",
	}
}

// told is what the service says of a thing and nobody sets.
func told(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Computed:      true,
		Description:   description,
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
}

// fixed is what a thing has from its beginning to its end.
func fixed(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Required:      true,
		Description:   description,
		PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
	}
}

// chosen is fixed, and the service's to say where nothing is said.
func chosen(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:    true,
		Computed:    true,
		Description: description,
		PlanModifiers: []planmodifier.String{
			stringplanmodifier.RequiresReplaceIfConfigured(),
			stringplanmodifier.UseStateForUnknown(),
		},
	}
}

func setOf(values []string) types.Set {
	elements := make([]attr.Value, 0, len(values))
	for _, value := range values {
		elements = append(elements, types.StringValue(value))
	}
	return types.SetValueMust(types.StringType, elements)
}

func mapOf(values map[string]string) types.Map {
	elements := make(map[string]attr.Value, len(values))
	for name, value := range values {
		elements[name] = types.StringValue(value)
	}
	return types.MapValueMust(types.StringType, elements)
}

func textsOf(set types.Set) []string {
	values := []string{}
	for _, element := range set.Elements() {
		values = append(values, element.(types.String).ValueString())
	}
	return values
}

func labelsOf(of types.Map) map[string]string {
	values := map[string]string{}
	for name, element := range of.Elements() {
		values[name] = element.(types.String).ValueString()
	}
	return values
}

// timeOf is the service's time, as it was written before where that is the same one.
func timeOf(before types.String, now *string) types.String {
	if now == nil {
		return types.StringNull()
	}
	one, notOne := time.Parse(time.RFC3339, before.ValueString())
	other, notOther := time.Parse(time.RFC3339, *now)
	if notOne == nil && notOther == nil && one.Truncate(time.Second).Equal(other) {
		return before
	}
	return types.StringPointerValue(now)
}
